// Metrics in Prometheus' text exposition (format 0.0.4). Updates are lock-free and allowed on any
// thread; metrics live as long as their registry. Names are `borealis_<module>_<what>_<unit>`
// (`_total` for counters).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace borealis::obs {

// Sorted by name.
using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(double v) { value_.store(v, std::memory_order_relaxed); }
  void Add(double v) { value_.fetch_add(v, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Counts of whole numbers (microseconds, bytes, items) in fixed buckets: four for each power of
// two, so that a quantile is off by at most 25%. Exposed as a histogram with one bucket a power of
// two (times `scale`).
class Histogram {
 public:
  void Record(uint64_t value);
  uint64_t count() const;
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // The upper bound of the bucket that holds quantile q (0 to 1); 0 when empty.
  uint64_t Quantile(double q) const;

  static constexpr size_t kBuckets = 252;
  static size_t BucketOf(uint64_t value);
  // The largest value in the bucket.
  static uint64_t BucketMax(size_t bucket);

 private:
  friend class Registry;
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The metric of that name and those labels, made at the first call. The same name must keep its
  // kind and help. Thread-safe, with a lock: keep the reference instead of asking again.
  Counter& AddCounter(const std::string& name, const std::string& help, Labels labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, Labels labels = {});
  // `scale` turns recorded units into exposed ones: 1e-6 for microseconds shown as seconds.
  Histogram& AddHistogram(const std::string& name, const std::string& help, double scale,
                          Labels labels = {});
  // A gauge that is computed when scraped, on the scraping thread. The id removes it.
  uint64_t AddCallback(const std::string& name, const std::string& help, Labels labels,
                       std::function<double()> read);
  void RemoveCallback(uint64_t id);

  // All metrics, sorted by name and labels.
  std::string Expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace borealis::obs
