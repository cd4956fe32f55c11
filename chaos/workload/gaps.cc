#include "chaos/workload/gaps.h"

#include <algorithm>

namespace borealis::chaos {

void GapMeter::Acknowledged(env::MonotonicTime when) {
  std::lock_guard<std::mutex> lock(mu_);
  acknowledged_.push_back(when);
}

std::vector<Gap> GapMeter::All(env::MonotonicTime end) const {
  std::vector<env::MonotonicTime> moments;
  {
    std::lock_guard<std::mutex> lock(mu_);
    moments = acknowledged_;
  }
  moments.push_back(end);
  std::sort(moments.begin(), moments.end());
  std::vector<Gap> gaps;
  env::MonotonicTime before = start_;
  for (env::MonotonicTime moment : moments) {
    if (moment > end) break;
    if (moment > before) gaps.push_back({before - start_, moment - before});
    before = std::max(before, moment);
  }
  return gaps;
}

std::vector<Gap> GapMeter::Longest(env::MonotonicTime end, size_t count) const {
  std::vector<Gap> gaps = All(end);
  std::stable_sort(gaps.begin(), gaps.end(),
                   [](const Gap& a, const Gap& b) { return a.length > b.length; });
  if (gaps.size() > count) gaps.resize(count);
  return gaps;
}

env::Duration GapMeter::Max(env::MonotonicTime end) const {
  std::vector<Gap> longest = Longest(end, 1);
  return longest.empty() ? env::Duration(0) : longest[0].length;
}

env::Duration GapMeter::P99OverSeconds(env::MonotonicTime end) const {
  using std::chrono::seconds;
  size_t count = static_cast<size_t>(std::max<int64_t>(1, (end - start_) / seconds(1)));
  std::vector<env::Duration> longest(count, env::Duration(0));
  for (const Gap& gap : All(end)) {
    size_t first = static_cast<size_t>(gap.at / seconds(1));
    size_t last = static_cast<size_t>((gap.at + gap.length) / seconds(1));
    for (size_t i = first; i <= last && i < count; i++) {
      longest[i] = std::max(longest[i], gap.length);
    }
  }
  std::sort(longest.begin(), longest.end());
  return longest[(count * 99 + 99) / 100 - 1];
}

env::Duration GapMeter::MaxWithin(env::MonotonicTime end, env::Duration from,
                                  env::Duration to) const {
  env::Duration longest(0);
  for (const Gap& gap : All(end)) {
    if (gap.at < to && gap.at + gap.length > from) longest = std::max(longest, gap.length);
  }
  return longest;
}

}  // namespace borealis::chaos
