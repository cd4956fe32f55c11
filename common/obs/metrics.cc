#include "common/obs/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <variant>

#include "common/base/check.h"

namespace borealis::obs {
namespace {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };
constexpr std::string_view kKindNames[] = {"counter", "gauge", "histogram"};

constexpr uint64_t kSubBuckets = 4;  // for each power of two

bool ValidName(std::string_view name, bool colon_allowed) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (!letter && !(digit && i > 0) && !(c == ':' && colon_allowed)) return false;
  }
  return true;
}

std::string Escape(std::string_view text, bool quotes) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

// a="x",b="y"
std::string LabelText(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    BOREALIS_CHECK(ValidName(name, false));
    if (!out.empty()) out += ',';
    out += name + "=\"" + Escape(value, true) + "\"";
  }
  return out;
}

std::string Number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", v);
}

std::string Sample(const std::string& name, const std::string& labels, const std::string& value) {
  return labels.empty() ? name + " " + value + "\n" : name + "{" + labels + "} " + value + "\n";
}

}  // namespace

// Values below 8 have a bucket each. Above, the highest bit and the two after it choose.
size_t Histogram::BucketOf(uint64_t value) {
  if (value < 2 * kSubBuckets) return static_cast<size_t>(value);
  const int high = 63 - std::countl_zero(value);
  const uint64_t sub = (value >> (high - 2)) & (kSubBuckets - 1);
  return static_cast<size_t>(static_cast<uint64_t>(high - 1) * kSubBuckets + sub);
}

uint64_t Histogram::BucketMax(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return bucket;
  const uint64_t high = bucket / kSubBuckets + 1;
  const uint64_t sub = bucket % kSubBuckets;
  const uint64_t width = uint64_t{1} << (high - 2);
  return (kSubBuckets + sub) * width + (width - 1);
}

void Histogram::Record(uint64_t value) {
  buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

uint64_t Histogram::Quantile(double q) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= rank) return BucketMax(i);
  }
  return BucketMax(kBuckets - 1);
}

struct Registry::Impl {
  using Metric = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                              std::unique_ptr<Histogram>, std::function<double()>>;
  struct Family {
    Kind kind = Kind::kGauge;
    std::string help;
    double scale = 1;
    std::map<std::string, Metric> metrics;  // by label text
  };

  // Requires mu.
  Metric* Find(const std::string& name, const std::string& help, Kind kind, double scale,
               const std::string& labels, bool* created) {
    BOREALIS_CHECK(ValidName(name, true));
    auto [it, is_new] = families.try_emplace(name);
    Family& family = it->second;
    if (is_new) {
      family.kind = kind;
      family.help = help;
      family.scale = scale;
    }
    BOREALIS_CHECK(family.kind == kind && family.scale == scale);
    auto [metric, inserted] = family.metrics.try_emplace(labels);
    *created = inserted;
    return &metric->second;
  }

  template <typename T>
  T& Add(const std::string& name, const std::string& help, Kind kind, double scale,
         const Labels& labels) {
    std::lock_guard lock(mu);
    bool created = false;
    Metric* metric = Find(name, help, kind, scale, LabelText(labels), &created);
    if (created) *metric = std::make_unique<T>();
    auto* held = std::get_if<std::unique_ptr<T>>(metric);
    BOREALIS_CHECK(held != nullptr);  // else a callback has this name
    return **held;
  }

  void ExposeHistogram(const std::string& name, const std::string& labels, const Histogram& h,
                       double scale, std::string* out) const;

  mutable std::mutex mu;
  std::map<std::string, Family> families;                             // guarded by mu
  std::map<uint64_t, std::pair<std::string, std::string>> callbacks;  // guarded by mu
  uint64_t next_callback = 1;                                         // guarded by mu
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::AddCounter(const std::string& name, const std::string& help, Labels labels) {
  return impl_->Add<Counter>(name, help, Kind::kCounter, 1, labels);
}

Gauge& Registry::AddGauge(const std::string& name, const std::string& help, Labels labels) {
  return impl_->Add<Gauge>(name, help, Kind::kGauge, 1, labels);
}

Histogram& Registry::AddHistogram(const std::string& name, const std::string& help, double scale,
                                  Labels labels) {
  return impl_->Add<Histogram>(name, help, Kind::kHistogram, scale, labels);
}

uint64_t Registry::AddCallback(const std::string& name, const std::string& help, Labels labels,
                               std::function<double()> read) {
  std::lock_guard lock(impl_->mu);
  std::string text = LabelText(labels);
  bool created = false;
  Impl::Metric* metric = impl_->Find(name, help, Kind::kGauge, 1, text, &created);
  BOREALIS_CHECK(created);
  *metric = std::move(read);
  impl_->callbacks[impl_->next_callback] = {name, text};
  return impl_->next_callback++;
}

void Registry::RemoveCallback(uint64_t id) {
  std::lock_guard lock(impl_->mu);
  auto it = impl_->callbacks.find(id);
  if (it == impl_->callbacks.end()) return;
  auto family = impl_->families.find(it->second.first);
  family->second.metrics.erase(it->second.second);
  if (family->second.metrics.empty()) impl_->families.erase(family);
  impl_->callbacks.erase(it);
}

// One line for each power of two up to the highest that is used. A bucket's bound is exclusive in
// powers of two and its largest whole number inclusive, hence BucketMax.
void Registry::Impl::ExposeHistogram(const std::string& name, const std::string& labels,
                                     const Histogram& h, double scale, std::string* out) const {
  std::array<uint64_t, Histogram::kBuckets> counts;
  size_t used = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] = h.buckets_[i].load(std::memory_order_relaxed);
    if (counts[i] > 0) used = i + 1;
  }
  const std::string comma = labels.empty() ? "" : labels + ",";
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const bool last_of_power = i % kSubBuckets == kSubBuckets - 1;
    if (!last_of_power || i >= used + kSubBuckets) continue;
    const double bound = static_cast<double>(Histogram::BucketMax(i)) * scale;
    *out += Sample(name + "_bucket", comma + "le=\"" + Number(bound) + "\"", std::to_string(total));
  }
  *out += Sample(name + "_bucket", comma + "le=\"+Inf\"", std::to_string(total));
  *out += Sample(name + "_sum", labels, Number(static_cast<double>(h.sum()) * scale));
  *out += Sample(name + "_count", labels, std::to_string(total));
}

std::string Registry::Expose() const {
  std::lock_guard lock(impl_->mu);
  std::string out;
  for (const auto& [name, family] : impl_->families) {
    out += "# HELP " + name + " " + Escape(family.help, false) + "\n";
    out +=
        "# TYPE " + name + " " + std::string(kKindNames[static_cast<size_t>(family.kind)]) + "\n";
    for (const auto& [labels, metric] : family.metrics) {
      if (auto* counter = std::get_if<std::unique_ptr<Counter>>(&metric)) {
        out += Sample(name, labels, std::to_string((*counter)->value()));
      } else if (auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&metric)) {
        out += Sample(name, labels, Number((*gauge)->value()));
      } else if (auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&metric)) {
        impl_->ExposeHistogram(name, labels, **histogram, family.scale, &out);
      } else {
        out += Sample(name, labels, Number(std::get<std::function<double()>>(metric)()));
      }
    }
  }
  return out;
}

}  // namespace borealis::obs
