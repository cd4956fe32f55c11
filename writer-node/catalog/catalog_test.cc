#include "writer-node/catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "writer-node/catalog/ddl.h"
#include "writer-node/catalog/encoding.h"
#include "writer-node/catalog/row_keys.h"
#include "writer-node/catalog/virtual_tables.h"
#include "writer-node/fake_storage/fake_storage.h"

namespace borealis::catalog {
namespace {

using fake_storage::FakeCluster;
using fake_storage::FakeStorage;
using fake_storage::RunInFiber;
using testing::HasSubstr;

struct Writer {
  Writer(FakeCluster* cluster, const std::string& name)
      : storage(cluster, name), reader(&storage), manager(&storage, &reader), catalog(&manager) {}
  void Start() {
    BootstrapOptions options;
    options.scram_verifier = "verifier-of-" + storage.writer_name();
    const Status status = catalog.Start(options);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  std::unique_ptr<txn::Txn> Begin() {
    auto txn = manager.Begin({});
    txn->BeginStatement();
    return txn;
  }
  // Runs one DDL in a transaction of its own; "" or the SQLSTATE.
  std::string Run(const std::function<Status(Ddl*)>& body) {
    auto txn = Begin();
    Ddl ddl(&catalog, txn.get());
    const Status status = body(&ddl);
    if (!status.ok()) {
      last_error = status.message();
      last_detail = ddl.detail();
      return ddl.sqlstate() != "00000" ? ddl.sqlstate() : status.ToString();
    }
    auto committed = txn->Commit();
    return committed.ok() ? "" : committed.status().ToString();
  }
  TablePtr Table(const std::string& name) {
    auto snapshot = catalog.ForTxn(Begin().get());
    return snapshot.ok() ? (*snapshot)->FindTable("public", name) : nullptr;
  }
  void Insert(const TableDescriptor& table, std::vector<sql::Datum> row) {
    auto txn = Begin();
    const TableCodec codec(table);
    row.resize(table.columns.size());
    if (table.columns.back().hidden) row.back() = sql::Datum::Int(*catalog.NewRowId());
    ASSERT_TRUE(Catalog::UseTable(txn.get(), table).ok());
    ASSERT_TRUE(txn->Put(codec.PrimaryKey(row.data()), codec.EncodeRow(row.data()),
                         wire::AccessKind::kUpdate)
                    .ok());
    for (const IndexDescriptor& index : table.secondary) {
      const IndexEntry entry = codec.Entry(index, row.data());
      ASSERT_TRUE(
          txn->Put(entry.key, entry.value,
                   entry.exclusive ? wire::AccessKind::kUpdate : wire::AccessKind::kWriteUnchecked)
              .ok());
    }
    ASSERT_TRUE(txn->Commit().ok());
  }
  size_t CountKeys(const TableDescriptor& table, IndexId index) {
    txn::ScanSpec spec;
    spec.start = wire::MakeKeyPrefix(wire::Keyspace::kUser, table.id, index);
    spec.end = wire::PrefixEnd(spec.start);
    return Begin()->Scan(spec)->rows.size();
  }
  FakeStorage storage;
  buffer_pool::PassThrough reader;
  txn::TxnManager manager;
  Catalog catalog;
  std::string last_error;
  std::string last_detail;
};

NewTable Accounts() {
  NewTable table;
  table.name = "accounts";
  table.columns = {{.name = "id", .type_oid = sql::oid::kInt4},
                   {.name = "owner", .type_oid = sql::oid::kText, .not_null = true},
                   {.name = "balance", .type_oid = sql::oid::kInt8, .default_sql = "0"}};
  return table;
}

Status Create(Ddl* ddl, const NewTable& table) {
  return ddl->CreateTable(table).status();
}

void InCluster(const std::function<void(FakeCluster&, Writer&, Writer&)>& body) {
  RunInFiber([&](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.Start();
    b.Start();
    body(cluster, a, b);
  });
}

TEST(Encoding, TableRoundTripsAndRefusesGarbage) {
  TableDescriptor t;
  t.id = TableId(100);
  t.oid = 16384;
  t.name = "t";
  t.columns = {{ColumnId(1), "a", 23, -1, true, "1+1", 'd', TableId(101), false},
               {ColumnId(2), "rowid", 20, -1, true, "", 0, TableId(), true}};
  t.primary = {IndexId(1), 0, "", true, true, IndexState::kPublic, {{ColumnId(2), false, false}}};
  t.secondary = {{IndexId(2),
                  16385,
                  "t_a_idx",
                  false,
                  false,
                  IndexState::kWriteOnly,
                  {{ColumnId(1), true, true}}}};
  t.constraints = {{16386,
                    "t_a_fkey",
                    ConstraintType::kForeignKey,
                    {ColumnId(1)},
                    IndexId(1),
                    TableId(100),
                    {ColumnId(2)},
                    ForeignKeyAction::kRestrict,
                    ForeignKeyAction::kNoAction,
                    ""}};
  const Bytes bytes = Encode(t);
  auto decoded = DecodeTable(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(*decoded, t);
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(DecodeTable(bytes.substr(0, n)).ok()) << n;
  EXPECT_FALSE(DecodeTable(bytes + "x").ok());
  Bytes newer = bytes;
  newer[0] = 2;
  EXPECT_EQ(DecodeTable(newer).code(), Code::kUnsupported);
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    Bytes damaged = bytes;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    auto result = DecodeTable(damaged);  // either is fine; it must not crash, and codecs must hold
    if (result.ok()) {
      TableCodec codec(*result);
    }
  }
}

TEST(Encoding, GoldenBytes) {
  EXPECT_EQ(ToHex(TableKey(TableId(100))), "01000000030000000100000064");
  EXPECT_EQ(ToHex(NameKey(2200, "t")),
            "01000000040000000100000898"
            "74");
  EXPECT_EQ(ToHex(Encode(SequenceState{2, -1, true})), "010200000000000000ffffffffffffffff01");
  EXPECT_EQ(ToHex(Encode(NameRow{'i', TableId(100), IndexId(2)})), "01696400000002000000");
  EXPECT_EQ(ToHex(EncodeCounter(7)), "010700000000000000");
  SequenceDescriptor s;
  s.id = TableId(1);
  s.name = "s";
  EXPECT_EQ(*DecodeSequence(Encode(s)), s);
  RoleDescriptor role{7, "r", true, false, true, false, 5, "SCRAM"};
  EXPECT_EQ(*DecodeRole(Encode(role)), role);
}

TEST(Catalog, ExactlyOneWriterBootstraps) {
  InCluster([](FakeCluster& cluster, Writer& a, Writer& b) {
    const RolePtr role = a.catalog.Latest()->FindRole("postgres");
    ASSERT_TRUE(role);
    EXPECT_EQ(role->scram_verifier, "verifier-of-w-0");
    EXPECT_EQ(b.catalog.Latest()->FindRole("postgres")->scram_verifier, "verifier-of-w-0");
    EXPECT_NE(a.catalog.Latest()->FindSchema("public"), nullptr);
  });
  // The same when both look before either writes.
  RunInFiber([](env::Loop& loop) {
    FakeCluster cluster(&loop);
    Writer a(&cluster, "w-0"), b(&cluster, "w-1");
    a.storage.BeforeNextCommit([&] { b.Start(); });
    a.Start();
    EXPECT_EQ(a.catalog.Latest()->FindRole("postgres")->scram_verifier, "verifier-of-w-1");
  });
}

TEST(Ddl, TableIsSeenByOthersAfterCommitAndByItselfBefore) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    auto txn = a.Begin();
    Ddl ddl(&a.catalog, txn.get());
    ASSERT_TRUE(*ddl.CreateTable(Accounts()));
    EXPECT_NE((*a.catalog.ForTxn(txn.get()))->FindTable("public", "accounts"), nullptr);
    EXPECT_EQ(b.Table("accounts"), nullptr);
    ASSERT_TRUE(txn->Commit().ok());
    const TablePtr table = b.Table("accounts");
    ASSERT_TRUE(table);
    EXPECT_EQ(table->visible_columns(), 3u);
    EXPECT_TRUE(table->columns.back().hidden);
    EXPECT_GE(table->oid, kFirstUserOid);
    EXPECT_EQ(b.Run([](Ddl* d) { return Create(d, Accounts()); }), "42P07");
    NewTable again = Accounts();
    again.if_not_exists = true;
    EXPECT_EQ(b.Run([&](Ddl* d) {
      auto made = d->CreateTable(again);
      EXPECT_FALSE(*made);
      return made.status();
    }),
              "");
  });
}

TEST(Ddl, SnapshotOfAnOlderTransactionDoesNotSeeIt) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    auto old = b.Begin();
    EXPECT_TRUE(old->EnsureSnapshot().ok());
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    EXPECT_EQ((*b.catalog.ForTxn(old.get()))->FindTable("public", "accounts"), nullptr);
    EXPECT_NE(b.Table("accounts"), nullptr);
  });
}

TEST(Ddl, SameNameOnTwoWritersOneWins) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    auto one = a.Begin(), two = b.Begin();
    Ddl first(&a.catalog, one.get()), second(&b.catalog, two.get());
    ASSERT_TRUE(first.CreateTable(Accounts()).ok());
    ASSERT_TRUE(second.CreateTable(Accounts()).ok());
    EXPECT_TRUE(one->Commit().ok());
    EXPECT_EQ(two->Commit().code(), Code::kConflict);
  });
}

TEST(Ddl, DmlThatUsedTheOldDescriptorLoses) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    const TablePtr table = b.Table("accounts");
    auto dml = b.Begin();
    EXPECT_TRUE(dml->EnsureSnapshot().ok());
    EXPECT_TRUE(Catalog::UseTable(dml.get(), *table).ok());
    const TableCodec codec(*table);
    std::vector<sql::Datum> row = {sql::Datum::Int(1), sql::Datum::String("x"), sql::Datum::Int(0),
                                   sql::Datum::Int(*b.catalog.NewRowId())};
    EXPECT_TRUE(dml->Put(codec.PrimaryKey(row.data()), codec.EncodeRow(row.data()),
                         wire::AccessKind::kUpdate)
                    .ok());
    EXPECT_EQ(a.Run([](Ddl* d) { return d->AddPrimaryKey("public", "accounts", "", {"id"}); }), "");
    EXPECT_EQ(dml->Commit().code(), Code::kConflict);
    EXPECT_EQ(dml->conflict()->prefix.table, kTablesTable);
  });
}

TEST(Ddl, RowCommittedDuringTheScanAbortsTheDdl) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    auto txn = a.Begin();
    Ddl ddl(&a.catalog, txn.get());
    ASSERT_TRUE(ddl.AddPrimaryKey("public", "accounts", "", {"id"}).ok());
    b.Insert(*b.Table("accounts"),
             {sql::Datum::Int(1), sql::Datum::String("x"), sql::Datum::Int(5)});
    EXPECT_EQ(txn->Commit().code(), Code::kConflict);
    EXPECT_TRUE(txn->conflict()->range);
  });
}

TEST(Ddl, AddPrimaryKeyMovesRowsAndEntries) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->CreateIndex({.table = "accounts", .columns = {{.name = "owner"}}}).status();
    }),
              "");
    TablePtr old = a.Table("accounts");
    EXPECT_EQ(old->secondary[0].name, "accounts_owner_idx");
    for (int i = 0; i < 5; ++i) {
      a.Insert(*old, {sql::Datum::Int(i), sql::Datum::String("o"), sql::Datum::Int(7)});
    }
    EXPECT_EQ(a.Run([](Ddl* d) { return d->AddPrimaryKey("public", "accounts", "", {"id"}); }), "");
    const TablePtr table = b.Table("accounts");
    ASSERT_TRUE(table->has_primary_key());
    EXPECT_EQ(table->primary.name, "accounts_pkey");
    EXPECT_NE(table->primary.id, old->primary.id);
    EXPECT_NE(table->secondary[0].id, old->secondary[0].id);
    EXPECT_FALSE(table->columns.back().hidden);
    EXPECT_TRUE(table->FindColumn("id")->not_null);
    EXPECT_EQ(b.CountKeys(*table, table->primary.id), 5u);
    EXPECT_EQ(b.CountKeys(*table, table->secondary[0].id), 5u);
    // Each entry of the secondary index leads to its row, and the row decodes under the new
    // descriptor.
    const TableCodec codec(*table);
    txn::ScanSpec spec;
    spec.start = Bytes(codec.index(table->secondary[0].id).prefix());
    spec.end = wire::PrefixEnd(spec.start);
    auto txn = b.Begin();
    auto entries = txn->Scan(spec);
    for (const auto& entry : entries->rows) {
      auto key = codec.RowKeyOf(codec.index(table->secondary[0].id), entry.key, entry.value);
      ASSERT_TRUE(key.ok());
      auto row = txn->Get(*key);
      ASSERT_TRUE(row.ok() && row->has_value());
      std::vector<sql::Datum> values(table->columns.size());
      ASSERT_TRUE(sql::RowDecoder(RowColumnsOf(*table)).Decode(**row, values.data()).ok());
      EXPECT_EQ(values[2].int_value(), 7);
    }
    EXPECT_EQ(a.Run([](Ddl* d) { return d->AddPrimaryKey("public", "accounts", "", {"id"}); }),
              "42P16");
  });
}

TEST(Ddl, ExistingRowsAreChecked) {
  InCluster([](FakeCluster&, Writer& a, Writer&) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    for (int i = 0; i < 2; ++i) {
      a.Insert(*a.Table("accounts"), {sql::Datum::Int(1), sql::Datum::String("o"), sql::Datum()});
    }
    EXPECT_EQ(a.Run([](Ddl* d) { return d->AddPrimaryKey("public", "accounts", "", {"id"}); }),
              "23505");
    EXPECT_EQ(a.last_detail, "Key (id)=(1) is duplicated.");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->AddUnique("public", "accounts", {"", {"id"}});
    }),
              "23505");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->AddPrimaryKey("public", "accounts", "", {"balance"}); }),
              "23502");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->SetNotNull("public", "accounts", "balance", true); }),
              "23502");
    // NULLs do not collide.
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->AddUnique("public", "accounts", {"", {"balance"}});
    }),
              "");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->SetNotNull("public", "accounts", "owner", true); }), "");
  });
}

NewTable Parent() {
  NewTable table;
  table.name = "parent";
  table.columns = {{.name = "id", .type_oid = sql::oid::kInt4}};
  table.primary_key = {"id"};
  return table;
}

NewTable Child() {
  NewTable table;
  table.name = "child";
  table.columns = {{.name = "id", .type_oid = sql::oid::kInt4, .serial = true},
                   {.name = "p", .type_oid = sql::oid::kInt4}};
  table.primary_key = {"id"};
  table.foreign_keys = {{.columns = {"p"}, .ref_schema = "public", .ref_table = "parent"}};
  return table;
}

TEST(Ddl, ForeignKeys) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Child()); }), "42P01");
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    const uint32_t before = a.Table("parent")->schema_version;
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Child()); }), "");
    EXPECT_GT(a.Table("parent")->schema_version, before);
    const SnapshotPtr snapshot = b.catalog.Latest();
    const TablePtr child = snapshot->FindTable("public", "child");
    ASSERT_EQ(snapshot->ForeignKeysTo(snapshot->FindTable("public", "parent")->id).size(), 1u);
    EXPECT_EQ(ConstraintDefinition(*snapshot, *child, *child->FindConstraint("child_p_fkey")),
              "FOREIGN KEY (p) REFERENCES parent(id)");
    EXPECT_EQ(child->FindColumn("id")->default_sql, "nextval('child_id_seq'::regclass)");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropTable("public", "parent", false, DropBehavior::kRestrict).status();
    }),
              "2BP01");
    EXPECT_THAT(a.last_detail, HasSubstr("child_p_fkey"));
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->Truncate({{"public", "parent"}}, DropBehavior::kRestrict, false);
    }),
              "0A000");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropTable("public", "parent", false, DropBehavior::kCascade).status();
    }),
              "");
    EXPECT_EQ(b.Table("parent"), nullptr);
    EXPECT_EQ(b.Table("child")->FindConstraint("child_p_fkey"), nullptr);
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropTable("public", "child", false, DropBehavior::kRestrict).status();
    }),
              "");
    EXPECT_EQ(b.catalog.Latest()->FindSequence("public", "child_id_seq"), nullptr);
  });
}

TEST(Ddl, AddForeignKeyChecksRowsAndRefusesWhatDoesNotFit) {
  InCluster([](FakeCluster&, Writer& a, Writer&) {
    NewTable child = Child();
    child.foreign_keys.clear();
    child.columns.push_back({.name = "t", .type_oid = sql::oid::kText});
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_EQ(a.Run([&](Ddl* d) { return Create(d, child); }), "");
    a.Insert(*a.Table("parent"), {sql::Datum::Int(1)});
    a.Insert(*a.Table("child"), {sql::Datum::Int(1), sql::Datum::Int(1)});
    a.Insert(*a.Table("child"), {sql::Datum::Int(2), sql::Datum()});
    NewForeignKey key{.columns = {"p"}, .ref_schema = "public", .ref_table = "parent"};
    EXPECT_EQ(a.Run([&](Ddl* d) { return d->AddForeignKey("public", "child", key); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropConstraint("public", "child", "child_p_fkey", false, DropBehavior::kRestrict);
    }),
              "");
    a.Insert(*a.Table("child"), {sql::Datum::Int(3), sql::Datum::Int(99)});
    EXPECT_EQ(a.Run([&](Ddl* d) { return d->AddForeignKey("public", "child", key); }), "23503");
    EXPECT_EQ(a.last_detail, "Key (p)=(99) is not present in table \"parent\".");
    key.columns = {"t"};
    EXPECT_EQ(a.Run([&](Ddl* d) { return d->AddForeignKey("public", "child", key); }), "42804");
    key.columns = {"p"};
    key.on_delete = ForeignKeyAction::kCascade;
    EXPECT_EQ(a.Run([&](Ddl* d) { return d->AddForeignKey("public", "child", key); }), "0A000");
  });
}

TEST(Ddl, TruncateGivesNewIndexes) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Child()); }), "");
    a.Insert(*a.Table("parent"), {sql::Datum::Int(1)});
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->Truncate({{"public", "parent"}, {"public", "child"}}, DropBehavior::kRestrict,
                         true);
    }),
              "");
    const TablePtr parent = b.Table("parent");
    EXPECT_EQ(b.CountKeys(*parent, parent->primary.id), 0u);
    EXPECT_EQ(parent->FindConstraint("parent_pkey")->index, parent->primary.id);
    EXPECT_EQ(b.Table("child")->FindConstraint("child_p_fkey")->index, parent->primary.id);
    EXPECT_EQ(b.catalog.Latest()->FindSequence("public", "child_id_seq")->epoch, 2u);
  });
}

TEST(Ddl, Refusals) {
  InCluster([](FakeCluster&, Writer& a, Writer&) {
    NewTable twice = Accounts();
    twice.columns.push_back(twice.columns[0]);
    EXPECT_EQ(a.Run([&](Ddl* d) { return Create(d, twice); }), "42701");
    NewTable schema = Accounts();
    schema.schema = "nope";
    EXPECT_EQ(a.Run([&](Ddl* d) { return Create(d, schema); }), "3F000");
    NewTable system = Accounts();
    system.schema = "pg_catalog";
    EXPECT_EQ(a.Run([&](Ddl* d) { return Create(d, system); }), "42501");
    NewTable key = Accounts();
    key.primary_key = {"nope"};
    EXPECT_EQ(a.Run([&](Ddl* d) { return Create(d, key); }), "42703");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropTable("public", "nope", false, DropBehavior::kRestrict).status();
    }),
              "42P01");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d->DropTable("pg_catalog", "pg_class", false, DropBehavior::kRestrict).status();
    }),
              "42501");
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->DropIndex("public", "parent_pkey", false).status(); }),
              "2BP01");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->RenameTable("public", "parent", "mother"); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) { return d->RenameColumn("public", "mother", "id", "number"); }),
              "");
    EXPECT_NE(a.Table("mother")->FindColumn("number"), nullptr);
    // The index kept its name: the new table's gets the next free one.
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_EQ(a.Table("parent")->primary.name, "parent_pkey1");
  });
}

TEST(Sequences, AreUniqueAcrossWritersAndGrowTheirRanges) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return d->CreateSequence({.name = "s"}).status(); }), "");
    const SequencePtr s = b.catalog.Latest()->FindSequence("public", "s");
    ASSERT_TRUE(s);
    EXPECT_EQ(*a.catalog.NextVal(nullptr, *s), 1);
    EXPECT_EQ(*b.catalog.NextVal(nullptr, *s), 2);
    std::set<int64_t> seen;
    const uint64_t commits = a.storage.commits();
    for (int i = 0; i < 500; ++i) {
      EXPECT_TRUE(seen.insert(*a.catalog.NextVal(nullptr, *s)).second);
      if (i % 10 == 0) {
        EXPECT_TRUE(seen.insert(*b.catalog.NextVal(nullptr, *s)).second);
      }
    }
    EXPECT_LT(a.storage.commits() - commits, 20u);  // ranges double
  });
}

TEST(Sequences, SetValIsSeenByOtherWritersAtTheirNextSnapshot) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return d->CreateSequence({.name = "s"}).status(); }), "");
    SequencePtr s = b.catalog.Latest()->FindSequence("public", "s");
    for (int i = 0; i < 8; ++i)
      EXPECT_TRUE(b.catalog.NextVal(nullptr, *s).ok());  // b caches a range
    EXPECT_TRUE(a.catalog.SetVal(nullptr, *s, 1000, true).ok());
    s = b.catalog.Latest()->FindSequence("public", "s");
    EXPECT_EQ(*b.catalog.NextVal(nullptr, *s), 1001);
    EXPECT_FALSE(a.catalog.SetVal(nullptr, *s, 0, true).ok());
    auto state = a.catalog.ReadSequence(a.Begin().get(), *s);
    EXPECT_EQ(state->last_value, 1001);
  });
}

TEST(Sequences, BoundsCycleAndOwnTransaction) {
  InCluster([](FakeCluster&, Writer& a, Writer&) {
    EXPECT_EQ(
        a.Run([](Ddl* d) { return d->CreateSequence({.name = "s", .max_value = 2}).status(); }),
        "");
    EXPECT_EQ(a.Run([](Ddl* d) {
      return d
          ->CreateSequence(
              {.name = "c", .increment = -1, .start = -1, .min_value = -2, .cycle = true})
          .status();
    }),
              "");
    EXPECT_EQ(
        a.Run([](Ddl* d) { return d->CreateSequence({.name = "z", .increment = 0}).status(); }),
        "22023");
    const SequencePtr s = a.catalog.Latest()->FindSequence("public", "s");
    EXPECT_EQ(*a.catalog.NextVal(nullptr, *s), 1);
    EXPECT_EQ(*a.catalog.NextVal(nullptr, *s), 2);
    EXPECT_EQ(a.catalog.NextVal(nullptr, *s).code(), Code::kResourceExhausted);
    const SequencePtr c = a.catalog.Latest()->FindSequence("public", "c");
    for (int64_t want : {-1, -2, -1, -2, -1}) EXPECT_EQ(*a.catalog.NextVal(nullptr, *c), want);
    // Made and used in one transaction, which then rolls back.
    auto txn = a.Begin();
    Ddl ddl(&a.catalog, txn.get());
    ASSERT_TRUE(*ddl.CreateSequence({.name = "mine"}));
    const SequencePtr mine = (*a.catalog.ForTxn(txn.get()))->FindSequence("public", "mine");
    EXPECT_EQ(*a.catalog.NextVal(txn.get(), *mine), 1);
    EXPECT_EQ(*a.catalog.NextVal(txn.get(), *mine), 2);
    txn->Rollback();
    EXPECT_EQ(a.catalog.Latest()->FindSequence("public", "mine"), nullptr);
  });
}

TEST(Catalog, GapInTheStreamReloads) {
  InCluster([](FakeCluster& cluster, Writer& a, Writer& b) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Accounts()); }), "");
    b.catalog.OnGap(cluster.version());
    EXPECT_NE(b.Table("accounts"), nullptr);
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_NE(b.Table("parent"), nullptr);
  });
}

TEST(Catalog, RowIdsAndIdsAreUnique) {
  InCluster([](FakeCluster&, Writer& a, Writer& b) {
    std::set<int64_t> rows;
    std::set<uint32_t> ids;
    for (int i = 0; i < 50; ++i) {
      for (Writer* w : {&a, &b}) {
        EXPECT_TRUE(rows.insert(*w->catalog.NewRowId()).second);
        EXPECT_TRUE(ids.insert(*w->catalog.NewOid()).second);
      }
    }
  });
}

TEST(VirtualTables, DescribeATable) {
  InCluster([](FakeCluster&, Writer& a, Writer&) {
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Parent()); }), "");
    EXPECT_EQ(a.Run([](Ddl* d) { return Create(d, Child()); }), "");
    const SnapshotPtr catalog = a.catalog.Latest();
    VirtualContext context;
    context.catalog = catalog.get();
    context.settings = [] {
      return std::vector<SettingRow>{{"work_mem", "4", "MB", "", ""},
                                     {.name = "e", .choices = {"a", "b"}}};
    };
    context.activity = [] {
      ActivityRow idle{.pid = 1, .user = "postgres", .application = "psql"};
      ActivityRow active{.pid = 2, .user = "postgres", .client_address = "127.0.0.1"};
      active.client_port = 5432;
      active.started = active.transaction_started = active.query_started = 1;
      active.state = "active";
      return std::vector<ActivityRow>{idle, active};
    };
    // Every table produces rows of the right width and kinds.
    for (const TablePtr& table : VirtualTables()) {
      for (const sql::Row& row : VirtualRows(*table, context)) {
        ASSERT_EQ(row.size(), table->columns.size()) << table->name;
        for (size_t i = 0; i < row.size(); ++i) {
          const ColumnDescriptor& column = table->columns[i];
          if (row[i].is_null()) {
            EXPECT_FALSE(column.not_null) << table->name << "." << column.name;
          } else {
            EXPECT_EQ(row[i].kind(), sql::FindType(column.type_oid)->kind)
                << table->name << "." << column.name;
          }
        }
      }
    }
    const TablePtr pg_class = catalog->FindTable("pg_catalog", "pg_class");
    ASSERT_TRUE(pg_class);
    EXPECT_EQ(pg_class->oid, 1259u);
    std::set<std::string> names;
    const auto name =
        static_cast<size_t>(pg_class->ColumnPosition(pg_class->FindColumn("relname")->id));
    for (const sql::Row& row : VirtualRows(*pg_class, context))
      names.emplace(row[name].string_value());
    for (const char* want :
         {"parent", "child", "child_pkey", "child_id_seq", "pg_class", "pg_attribute"}) {
      EXPECT_TRUE(names.contains(want)) << want;
    }
    const TablePtr child = catalog->FindTable("public", "child");
    EXPECT_EQ(IndexDefinition(*child, child->primary),
              "CREATE UNIQUE INDEX child_pkey ON public.child USING btree (id)");
    EXPECT_EQ(IndexDefinition(*child, child->primary, 1), "id");
    EXPECT_EQ(catalog->FindTableByOid(1259), pg_class);
    EXPECT_EQ(catalog->FindTable("information_schema", "columns")->schema_oid,
              kInformationSchemaOid);
  });
}

}  // namespace
}  // namespace borealis::catalog
