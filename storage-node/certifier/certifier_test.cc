#include "storage-node/certifier/certifier.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>
#include <sstream>

#include "common/testing/datadriven.h"

namespace borealis::certifier {
namespace {

// ---- scripts -----------------------------------------------------------------------------------

// testdata/*.txt:
//   new [window=n]                 a certifier
//   commit txn=<incarnation>:<seq> certifies; one access a line:
//     <kind> <key> base=<n> [put|delete]      kind: key-share share no-key-update update read write
//     range <start> <end> base=<n>
//   window n                       changes the window
//   state                          version, floor, keys in the window
// Keys are written as <index>/<rest>; the index becomes a nine-byte prefix.
class Script {
 public:
  std::string Run(const testing::TestCase& c) {
    if (c.command == "new") {
      Options options;
      options.window_keys_max = c.GetUint("window", 1000);
      options.bucket_bits = 10;
      certifier_ = std::make_unique<Certifier>(options);
      return "";
    }
    if (c.command == "window") {
      certifier_->SetWindowKeysMax(std::stoull(c.Positional().at(0)));
      return State();
    }
    if (c.command == "state") return State();
    if (c.command == "commit") return Commit(c);
    return "unknown command\n";
  }

 private:
  std::string State() {
    std::ostringstream out;
    out << "version=" << certifier_->version() << " floor=" << certifier_->floor()
        << " keys=" << certifier_->window_keys() << "\n";
    return out.str();
  }

  ByteView Key(const std::string& text) {
    const size_t slash = text.find('/');
    Bytes key;
    PutU8(&key, 2);
    PutU32BE(&key, 7);
    PutU32BE(&key, static_cast<uint32_t>(std::stoul(text.substr(0, slash))));
    if (slash != std::string::npos) key += text.substr(slash + 1);
    keys_.push_back(std::move(key));
    return keys_.back();
  }

  Access Parse(const std::string& line) {
    std::istringstream in(line);
    std::string kind, word;
    in >> kind >> word;
    Access access;
    access.key = Key(word);
    if (kind == "range") {
      access.shape = Shape::kRange;
      in >> word;
      access.end = Key(word);
    } else if (kind == "key-share") {
      access.kind = Kind::kKeyShare;
    } else if (kind == "share") {
      access.kind = Kind::kShare;
    } else if (kind == "no-key-update") {
      access.kind = Kind::kNoKeyUpdate;
    } else if (kind == "update") {
      access.kind = Kind::kUpdate;
    } else if (kind == "write") {
      access.kind = Kind::kWriteUnchecked;
    }
    while (in >> word) {
      if (word == "put") access.op = Op::kPut;
      if (word == "delete") access.op = Op::kDelete;
      if (word.rfind("base=", 0) == 0) access.base_version = Version(std::stoull(word.substr(5)));
    }
    return access;
  }

  std::string Commit(const testing::TestCase& c) {
    const std::string txn = c.Get("txn");
    const size_t colon = txn.find(':');
    const TxnId id{Incarnation(std::stoull(txn.substr(0, colon))),
                   std::stoull(txn.substr(colon + 1))};
    keys_.clear();
    std::vector<Access> accesses;
    for (const std::string& line : c.InputLines()) accesses.push_back(Parse(line));
    const Decision d = certifier_->Certify(id, accesses);
    std::ostringstream out;
    switch (d.outcome) {
      case Outcome::kAccepted:
        out << "accepted version=" << d.version << "\n";
        break;
      case Outcome::kInvalid:
        out << "invalid access=" << d.access_index << "\n";
        break;
      case Outcome::kConflict:
        out << "conflict access=" << d.access_index << " mode=" << ModeName(d.mode);
        if (d.below_floor)
          out << " below floor\n";
        else
          out << " winner=" << d.winner << " version=" << d.winner_version << "\n";
    }
    return out.str();
  }

  std::unique_ptr<Certifier> certifier_;
  std::deque<Bytes> keys_;
};

TEST(CertifierTest, Scripts) {
  testing::WalkDataDriven("storage-node/certifier/testdata", [](const std::string&) {
    auto script = std::make_shared<Script>();
    return [script](const testing::TestCase& c) { return script->Run(c); };
  });
}

// ---- a naive model -----------------------------------------------------------------------------

bool LocksConflict(Kind a, Kind b) {
  // PostgreSQL's table, written out: rows and columns KEY SHARE, SHARE, NO KEY UPDATE, UPDATE.
  static constexpr bool kTable[4][4] = {{false, false, false, true},
                                        {false, false, true, true},
                                        {false, true, true, true},
                                        {true, true, true, true}};
  return kTable[static_cast<int>(a) - 1][static_cast<int>(b) - 1];
}

// Keeps every access of every accepted request for ever, and compares with all of them.
class Model {
 public:
  struct Past {
    Version version;
    Kind kind;
    bool modifies;
    Bytes key;
  };

  // The newest conflicting version of the first conflicting access.
  std::optional<std::pair<uint32_t, Version>> Conflict(std::span<const Access> accesses) const {
    for (size_t i = 0; i < accesses.size(); ++i) {
      Version newest;
      for (const Past& past : past_) {
        if (past.version > accesses[i].base_version && Conflicts(accesses[i], past)) {
          newest = std::max(newest, past.version);
        }
      }
      if (newest) return std::pair(static_cast<uint32_t>(i), newest);
    }
    return std::nullopt;
  }
  void Record(Version version, std::span<const Access> accesses) {
    for (const Access& a : accesses) {
      if (a.kind != Kind::kRead) {
        past_.push_back({version, a.kind, a.op != Op::kNone, Bytes(a.key)});
      }
    }
  }

 private:
  static bool Conflicts(const Access& a, const Past& past) {
    if (a.shape == Shape::kRange) return past.modifies && past.key >= a.key && past.key < a.end;
    if (past.key != a.key || a.kind == Kind::kWriteUnchecked) return false;
    if (a.kind == Kind::kRead) return past.modifies;
    return past.kind != Kind::kWriteUnchecked && LocksConflict(a.kind, past.kind);
  }
  std::vector<Past> past_;
};

struct Generated {
  std::deque<Bytes> bytes;
  std::vector<Access> accesses;
};

Generated Generate(std::mt19937_64& random, Version now, uint64_t keys) {
  Generated g;
  const auto make_key = [&](uint64_t index, uint64_t n) {
    Bytes key;
    PutU8(&key, 2);
    PutU32BE(&key, 1);
    PutU32BE(&key, static_cast<uint32_t>(index));
    PutU64BE(&key, n);
    g.bytes.push_back(key);
    return ByteView(g.bytes.back());
  };
  const uint64_t count = 1 + random() % 4;
  for (uint64_t i = 0; i < count; ++i) {
    Access a;
    const uint64_t age = random() % 4 == 0 ? random() % 200 : random() % 8;
    a.base_version = Version(now.value() > age ? now.value() - age : 0);
    a.key = make_key(random() % 3, random() % keys);
    if (random() % 5 == 0) {
      a.shape = Shape::kRange;
      a.end = make_key(GetU32BE(a.key.data() + 5) + (random() % 8 == 0), random() % keys);
      if (a.end <= a.key) std::swap(a.key, a.end);
      if (a.end == a.key) a.shape = Shape::kPoint, a.end = {};
    } else {
      a.kind = static_cast<Kind>(1 + random() % 6);
      if (a.kind == Kind::kNoKeyUpdate || a.kind == Kind::kUpdate) {
        a.op = static_cast<Op>(random() % 3);
      } else if (a.kind == Kind::kWriteUnchecked) {
        a.op = static_cast<Op>(1 + random() % 2);
      }
    }
    g.accesses.push_back(a);
  }
  return g;
}

class ModelTest : public ::testing::TestWithParam<uint64_t> {};

// What the model refuses is always refused. Where every base lies inside the window, both agree
// fully, with the same access and the same winning version. A second certifier that is told the
// verdicts instead of deciding them ends in the same state.
TEST_P(ModelTest, NeverPassesWhatTheModelRefuses) {
  const uint64_t seed = GetParam();
  std::mt19937_64 random(seed);
  Options options;
  options.window_keys_max = 20 + seed % 5 * 60;
  options.bucket_bits = 6;
  Certifier certifier(options);
  Certifier told(options);
  Model model;
  int conflicts = 0, accepted = 0, false_aborts = 0;
  for (uint64_t i = 0; i < 1500; ++i) {
    const Generated g = Generate(random, certifier.version(), 200);
    const TxnId txn{Incarnation(1), i + 1};
    const auto expected = model.Conflict(g.accesses);
    const Version floor = certifier.floor();
    bool inside = true;
    for (const Access& a : g.accesses) inside = inside && a.base_version >= floor;

    const Decision d = certifier.Certify(txn, g.accesses);
    ASSERT_NE(d.outcome, Outcome::kInvalid);
    if (expected) {
      ASSERT_EQ(d.outcome, Outcome::kConflict) << "seed " << seed << " request " << i;
      ++conflicts;
    }
    if (inside) {
      ASSERT_EQ(d.outcome == Outcome::kConflict, expected.has_value())
          << "seed " << seed << " request " << i;
      if (expected) {
        ASSERT_EQ(d.access_index, expected->first);
        ASSERT_EQ(d.winner_version, expected->second);
        ASSERT_FALSE(d.below_floor);
      }
    } else if (!expected && d.outcome == Outcome::kConflict) {
      ASSERT_TRUE(d.below_floor);
      ++false_aborts;
    }
    ASSERT_EQ(d, [&] {
      if (d.outcome != Outcome::kAccepted) return told.Certify(txn, g.accesses);
      told.Record(txn, d.version, g.accesses);
      return d;
    }());
    if (d.outcome == Outcome::kAccepted) {
      model.Record(d.version, g.accesses);
      ++accepted;
    }
  }
  EXPECT_GT(conflicts, 50);
  EXPECT_GT(accepted, 200);
  EXPECT_EQ(certifier.floor(), told.floor());
  EXPECT_EQ(certifier.window_keys(), told.window_keys());
  RecordProperty("false_aborts", false_aborts);
}
INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range<uint64_t>(1, 41));

TEST(PointTableTest, AgreesWithAMapUnderInsertsAndErasures) {
  std::mt19937_64 random(7);
  PointTable table;
  std::map<uint64_t, uint64_t> model;
  for (int i = 0; i < 200000; ++i) {
    // Few distinct low bits, so that runs are long and wrap around.
    const uint64_t hash = (random() % 64) << 40 | (random() % 40 + 1000);
    if (random() % 3 == 0) {
      table.Erase(hash);
      model.erase(hash);
    } else {
      table.FindOrInsert(hash)[0] = i;
      model[hash] = i;
    }
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [hash, value] : model) {
    ASSERT_NE(table.Find(hash), nullptr);
    ASSERT_EQ((*table.Find(hash))[0], value);
  }
}

TEST(RangeIndexTest, FindsTheNewestModificationAcrossManyRuns) {
  std::mt19937_64 random(11);
  RangeIndex index;
  std::map<Bytes, uint64_t> newest;
  for (uint64_t version = 1; version <= 60000; ++version) {
    Bytes key;
    PutU64BE(&key, random() % 20000);
    index.Append(key, Version(version));
    newest[key] = version;
    if (version % 601 != 0) continue;
    Bytes start, end;
    const uint64_t from = random() % 20000;
    PutU64BE(&start, from);
    PutU64BE(&end, from + 1 + random() % 500);
    const uint64_t after = version - random() % version;
    uint64_t expected = 0;
    for (auto it = newest.lower_bound(start); it != newest.end() && it->first < end; ++it) {
      if (it->second > after) expected = std::max(expected, it->second);
    }
    ASSERT_EQ(index.NewestIn(start, end, Version(after)), Version(expected));
    if (version % 6010 == 0) index.Expire(Version(version / 2));
  }
}

TEST(VerdictHashTest, DependsOnEveryPart) {
  VerdictHash a, b, c, d;
  a.Add(LogIndex(1), 1, Version(1));
  b.Add(LogIndex(1), 2, Version(1));
  c.Add(LogIndex(2), 1, Version(1));
  d.Add(LogIndex(1), 1, Version(2));
  EXPECT_NE(a.value(), b.value());
  EXPECT_NE(a.value(), c.value());
  EXPECT_NE(a.value(), d.value());
}

}  // namespace
}  // namespace borealis::certifier
