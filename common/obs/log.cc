#include "common/obs/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>

namespace borealis::obs {
namespace {

constexpr env::Duration kFoldFor = std::chrono::seconds(120);
// Messages are constants of the program, so this many are never reached by honest use; beyond it
// lines are written without folding rather than memory taken.
constexpr size_t kFoldedMax = 1024;

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void AppendValue(std::string* out, std::string_view value) {
  if (!NeedsQuotes(value)) {
    out->append(value);
    return;
  }
  out->push_back('"');
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (byte < ' ' || byte == 0x7f) {
      fmt::format_to(std::back_inserter(*out), "\\x{:02x}", byte);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

LogSink::Write StderrWriter() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("borealis", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return [logger](Level, std::string_view line) {
    logger->info(spdlog::string_view_t(line.data(), line.size()));
  };
}

}  // namespace

std::string_view LevelName(Level level) {
  return kLevelNames[static_cast<size_t>(level)];
}

Result<Level> ParseLevel(std::string_view text) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (text == kLevelNames[i]) return static_cast<Level>(i);
  }
  return InvalidArgument("\"" + std::string(text) + "\" is no log level");
}

Field::Field(std::string_view k, double v) : key(k), value(fmt::format("{}", v)) {}

Field::Field(std::string_view k, env::Duration v)
    : key(k), value(fmt::format("{}ms", static_cast<double>(v.count()) / 1000.0)) {}

struct LogSink::Impl {
  Impl(const env::Clock& c, Write w) : clock(c), write(std::move(w)) {}

  struct Folded {
    env::MonotonicTime written;  // when its last line was
    uint64_t left_out = 0;       // since then
    Level level = Level::kWarning;
    std::string fields;  // of the last one left out
  };

  void WriteLine(Level level, std::string_view component, std::string_view message,
                 std::string_view fields) {
    std::string line = fmt::format("{} {} {} {}{}", env::FormatWallTime(clock.Wall()),
                                   LevelName(level), component, message, fields);
    write(level, line);
  }
  // Requires mu.
  void FlushDue(env::MonotonicTime now, bool all);

  const env::Clock& clock;
  const Write write;
  std::atomic<Level> level{Level::kInfo};
  std::atomic<uint64_t> warnings{0};
  std::atomic<uint64_t> errors{0};

  std::mutex mu;
  std::map<std::pair<std::string, std::string>, Folded> folded;  // guarded by mu
  env::MonotonicTime next_flush = env::MonotonicTime::max();     // guarded by mu
};

void LogSink::Impl::FlushDue(env::MonotonicTime now, bool all) {
  next_flush = env::MonotonicTime::max();
  for (auto it = folded.begin(); it != folded.end();) {
    Folded& entry = it->second;
    if (!all && now - entry.written < kFoldFor) {
      next_flush = std::min(next_flush, entry.written + kFoldFor);
      ++it;
    } else if (entry.left_out == 0) {
      it = folded.erase(it);  // silent for the whole time: the next one is news
    } else {
      WriteLine(entry.level, it->first.first, it->first.second,
                fmt::format("{} folded={}", entry.fields, entry.left_out));
      entry.left_out = 0;
      entry.written = now;
      next_flush = std::min(next_flush, entry.written + kFoldFor);
      ++it;
    }
  }
}

LogSink::LogSink(const env::Clock& clock) : LogSink(clock, StderrWriter()) {}

LogSink::LogSink(const env::Clock& clock, Write write)
    : impl_(std::make_unique<Impl>(clock, std::move(write))) {}

LogSink::~LogSink() {
  FlushFolded(/*all=*/true);
}

void LogSink::SetLevel(Level level) {
  impl_->level = level;
}

bool LogSink::Enabled(Level level) const {
  return level >= impl_->level.load();
}

void LogSink::Log(Level level, std::string_view component, std::string_view message,
                  Fields fields) {
  if (level == Level::kWarning) ++impl_->warnings;
  if (level == Level::kError) ++impl_->errors;
  if (!Enabled(level)) return;
  std::string text;
  for (const Field& field : fields) {
    text.push_back(' ');
    text.append(field.key);
    text.push_back('=');
    AppendValue(&text, field.value);
  }
  const env::MonotonicTime now = impl_->clock.Monotonic();
  std::lock_guard lock(impl_->mu);
  if (now >= impl_->next_flush) impl_->FlushDue(now, /*all=*/false);
  if (level >= Level::kWarning) {
    auto key = std::pair(std::string(component), std::string(message));
    auto it = impl_->folded.find(key);
    if (it != impl_->folded.end()) {
      ++it->second.left_out;
      it->second.level = level;
      it->second.fields = std::move(text);
      return;
    }
    if (impl_->folded.size() < kFoldedMax) {
      impl_->folded[std::move(key)] = {.written = now, .left_out = 0, .level = level, .fields = {}};
      impl_->next_flush = std::min(impl_->next_flush, now + kFoldFor);
    }
  }
  impl_->WriteLine(level, component, message, text);
}

void LogSink::FlushFolded(bool all) {
  std::lock_guard lock(impl_->mu);
  impl_->FlushDue(impl_->clock.Monotonic(), all);
}

uint64_t LogSink::warnings() const {
  return impl_->warnings;
}
uint64_t LogSink::errors() const {
  return impl_->errors;
}

}  // namespace borealis::obs
