#include "operator/runtime/informer.h"

#include <gtest/gtest.h>

#include <deque>

namespace borealis::runtime {
namespace {

using kube::WatchEvent;
using Type = kube::WatchEvent::Type;

Json Pod(const std::string& name, int version, const std::string& note = "") {
  return {{"metadata",
           {{"name", name},
            {"namespace", "ns"},
            {"resourceVersion", std::to_string(version)},
            {"managedFields", Json::array({{{"manager", "kubelet"}}})},
            {"annotations", {{"note", note}}}}}};
}

// Lists and watches answer as the test says, one after the other; the last watch stays open.
class ScriptedApi final : public kube::Api {
 public:
  struct WatchStep {
    std::vector<WatchEvent> events;
    Status end;
  };
  std::deque<Result<kube::ListResult>> lists;
  std::deque<WatchStep> watches;

  // Waits (bounded) until the script is played to its end.
  bool Played() {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return open_; });
  }
  std::vector<std::string> watched_from() {
    std::lock_guard lock(mu_);
    return watched_from_;
  }
  int listed() {
    std::lock_guard lock(mu_);
    return listed_;
  }

  Result<kube::ListResult> List(const kube::Resource&, const std::string&,
                                const std::string&) override {
    std::lock_guard lock(mu_);
    ++listed_;
    if (lists.empty()) return Internal("the script has no such list");
    auto next = std::move(lists.front());
    lists.pop_front();
    return next;
  }
  Status Watch(const kube::Resource&, const std::string&, const std::string&,
               const std::string& version, const std::function<void(WatchEvent)>& on_event,
               kube::Stopper& stopper) override {
    WatchStep step;
    {
      std::lock_guard lock(mu_);
      watched_from_.push_back(version);
      if (!watches.empty()) {
        step = std::move(watches.front());
        watches.pop_front();
      } else {
        open_ = true;
      }
    }
    changed_.notify_all();
    for (const WatchEvent& event : step.events) on_event(event);
    if (!open_) return step.end;
    while (!stopper.WaitFor(std::chrono::seconds(3600))) {
    }
    return Cancelled("stopped");
  }
  Result<Json> Get(const kube::Resource&, const std::string&, const std::string&) override {
    return Internal("not used");
  }
  Result<Json> Create(const kube::Resource&, const Json&) override { return Internal("not used"); }
  Result<Json> Replace(const kube::Resource&, const Json&, const std::string&) override {
    return Internal("not used");
  }
  Result<Json> Patch(const kube::Resource&, const std::string&, const std::string&, const Json&,
                     const kube::PatchOptions&) override {
    return Internal("not used");
  }
  Status Delete(const kube::Resource&, const std::string&, const std::string&,
                const kube::DeleteOptions&) override {
    return Internal("not used");
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = false;
  int listed_ = 0;
  std::vector<std::string> watched_from_;
};

class InformerTest : public ::testing::Test {
 protected:
  void Play() {
    informer_.Start();
    ASSERT_TRUE(api_.Played());
    informer_.Stop();  // joins: what follows is read without a race
  }
  std::string Names() {
    std::string names;
    for (const Json& object : informer_.List("ns")) names += kube::Name(object) + " ";
    return names;
  }

  ScriptedApi api_;
  obs::Registry metrics_;
  std::vector<std::string> changes_;
  Informer informer_{
      api_,
      kube::Pods(),
      "",
      "",
      [this](const kube::Resource&, const Json& object) { changes_.push_back(kube::Name(object)); },
      {},
      metrics_};
};

TEST_F(InformerTest, EventsChangeTheCache) {
  api_.lists.push_back(kube::ListResult{{Pod("a", 1), Pod("b", 2)}, "5"});
  api_.watches.push_back({{{Type::kAdded, Pod("c", 6)},
                           {Type::kModified, Pod("a", 7, "new")},
                           {Type::kDeleted, Pod("b", 8)}},
                          Status::Ok()});
  Play();
  EXPECT_EQ(Names(), "a c ");
  EXPECT_EQ(kube::Annotation(informer_.Get("ns", "a"), "note"), "new");
  EXPECT_TRUE(informer_.Get("ns", "b").is_null());
  EXPECT_EQ(changes_, (std::vector<std::string>{"a", "b", "c", "a", "b"}));
  EXPECT_TRUE(kube::At(informer_.Get("ns", "a"), {"metadata", "managedFields"}).is_null());
  EXPECT_TRUE(kube::At(informer_.Get("ns", "c"), {"metadata", "managedFields"}).is_null());
}

TEST_F(InformerTest, AWatchGoesOnWhereItEndedAndBookmarksCount) {
  const Json bookmark = {{"metadata", {{"resourceVersion", "40"}}}};
  api_.lists.push_back(kube::ListResult{{Pod("a", 1)}, "5"});
  api_.watches.push_back({{{Type::kModified, Pod("a", 9)}}, Unavailable("torn")});
  api_.watches.push_back({{{Type::kBookmark, bookmark}}, Status::Ok()});
  api_.watches.push_back({{}, DeadlineExceeded("silent")});
  Play();
  EXPECT_EQ(api_.watched_from(), (std::vector<std::string>{"5", "9", "40", "40"}));
  EXPECT_EQ(api_.listed(), 1);
  EXPECT_EQ(Names(), "a ");
  EXPECT_EQ(changes_, (std::vector<std::string>{"a", "a"}));
}

TEST_F(InformerTest, AfterGoneItListsAgainAndTellsWhatWasMissed) {
  api_.lists.push_back(kube::ListResult{{Pod("gone", 1), Pod("same", 2), Pod("new", 3)}, "5"});
  api_.watches.push_back({{}, Status(Code::kBelowHorizon, "HTTP 410 Expired")});
  api_.lists.push_back(Unavailable("not yet"));
  api_.lists.push_back(kube::ListResult{{Pod("same", 2), Pod("new", 9, "x"), Pod("z", 8)}, "30"});
  Play();
  EXPECT_EQ(api_.listed(), 3);
  EXPECT_EQ(api_.watched_from(), (std::vector<std::string>{"5", "30"}));
  EXPECT_EQ(Names(), "new same z ");
  // The first list tells of all; the second of what went, changed and came, not of what is as it
  // was.
  EXPECT_EQ(changes_, (std::vector<std::string>{"gone", "new", "same", "gone", "new", "z"}));
}

TEST_F(InformerTest, ItIsSyncedOnlyAfterAList) {
  EXPECT_FALSE(informer_.synced());
  api_.lists.push_back(Unavailable("not yet"));
  api_.lists.push_back(kube::ListResult{{}, "5"});
  Play();
  EXPECT_TRUE(informer_.synced());
  EXPECT_EQ(api_.listed(), 2);
}

}  // namespace
}  // namespace borealis::runtime
