// Structured logs: one line an event on stderr,
//   2026-05-01T12:30:00.123456Z warning replica peer is silent member=3 last_contact_ms=900
// The message is constant and in lower case; what varies stands in key=value fields. `error` means
// that a person must act. A warning or error that repeats (same component and message) is folded:
// the first is written at once, the next line comes 120 s later with the last fields and
// folded=<count> of those left out.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/env/clock.h"

namespace borealis::obs {

enum class Level : uint8_t { kDebug = 0, kInfo, kWarning, kError };
std::string_view LevelName(Level level);
// "debug", "info", "warning", "error"
Result<Level> ParseLevel(std::string_view text);

// A key and its value as text. Values are quoted when they hold a space, a quote, '=' or a control
// character, or nothing.
struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  Field(std::string_view k, double v);
  Field(std::string_view k, env::Duration v);  // "1500us" as milliseconds: "1.5ms"
  Field(std::string_view k, const Status& v) : key(k), value(v.ToString()) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  // Strong ids and whatever else writes itself to a stream.
  template <typename T>
  requires(!std::integral<T> && !std::convertible_to<T, std::string_view> &&
           requires(std::ostream & out, const T& v) { out << v; })
      Field(std::string_view k, const T& v)
      : key(k) {
    std::ostringstream out;
    out << v;
    value = out.str();
  }
};
using Fields = std::initializer_list<Field>;

// Where lines go. Thread-safe. Made once in main() and passed by Logger; the simulator and tests
// make their own.
class LogSink {
 public:
  using Write = std::function<void(Level, std::string_view line)>;  // line without newline

  // Writes to stderr.
  explicit LogSink(const env::Clock& clock = env::SystemClock());
  // `write` is called under the sink's lock.
  LogSink(const env::Clock& clock, Write write);
  ~LogSink();

  void SetLevel(Level level);
  bool Enabled(Level level) const;
  void Log(Level level, std::string_view component, std::string_view message, Fields fields);
  // Writes the folded lines whose 120 s are over; the rest too when `all` (at exit). Called by Log
  // as well, so that a program without a timer loses only the count of its last warning.
  void FlushFolded(bool all = false);
  // Lines written at or above warning, and folded ones, for a metric.
  uint64_t warnings() const;
  uint64_t errors() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A sink with a component's name: copied freely, passed by value. Outlived by the sink. A default
// Logger drops everything.
class Logger {
 public:
  Logger() = default;
  Logger(LogSink* sink, std::string_view component) : sink_(sink), component_(component) {}
  Logger Component(std::string_view name) const { return Logger(sink_, name); }

  void Log(Level level, std::string_view message, Fields fields = {}) const {
    if (sink_ != nullptr && sink_->Enabled(level)) sink_->Log(level, component_, message, fields);
  }
  void Debug(std::string_view m, Fields f = {}) const { Log(Level::kDebug, m, f); }
  void Info(std::string_view m, Fields f = {}) const { Log(Level::kInfo, m, f); }
  void Warning(std::string_view m, Fields f = {}) const { Log(Level::kWarning, m, f); }
  void Error(std::string_view m, Fields f = {}) const { Log(Level::kError, m, f); }

 private:
  LogSink* sink_ = nullptr;
  std::string component_;
};

}  // namespace borealis::obs
