// CREATE, DROP, ALTER: bound against the catalog at the transaction's snapshot, applied by
// catalog::Ddl. And roles.
#include "writer-node/pgwire/scram.h"
#include "writer-node/session/errors.h"
#include "writer-node/session/session.h"

namespace borealis::session {
namespace {

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

// The exact SQLSTATE of the last failure is the Ddl's; what it does not know comes from the code.
sql::SqlStatus FromDdl(const Status& status, const catalog::Ddl& ddl, const txn::Txn& txn,
                       const catalog::CatalogSnapshot* names) {
  if (status.ok()) return {};
  if (txn.failure() != txn::FailureKind::kNone || ddl.sqlstate() == "00000") {
    return executor::FromTxn(status, txn, names);
  }
  sql::SqlStatus out(ddl.sqlstate(), status.message());
  if (!ddl.detail().empty()) out.set_detail(ddl.detail());
  if (!ddl.hint().empty()) out.set_hint(ddl.hint());
  return out;
}

std::string_view Word(parser::ObjectKind kind) {
  switch (kind) {
    case parser::ObjectKind::kTable:
      return "table";
    case parser::ObjectKind::kIndex:
      return "index";
    case parser::ObjectKind::kSequence:
      return "sequence";
  }
  return "";
}

}  // namespace

sql::SqlStatus Session::RunDdl(const Query& query, Outcome* outcome) {
  if (!binder::IsDdl(*query.statement)) return sql::FeatureNotSupported("this statement");
  block_.txn()->BeginStatement();
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr catalog, ExactCatalog());
  SQL_ASSIGN_OR_RETURN(binder::BoundDdl bound,
                       binder::BindDdl(*query.statement, BindOptionsFor(catalog, query.text)));
  outcome->tag = bound.tag;
  block_.set_has_ddl();
  const txn::Savepoint savepoint = block_.txn()->SetSavepoint();
  SqlStatus status = ApplyDdl(bound);
  // As a statement's failure must leave nothing of it behind.
  if (!status.ok() && block_.txn()->active()) block_.txn()->RollbackTo(savepoint);
  return status;
}

sql::SqlStatus Session::ApplyDdl(const binder::BoundDdl& bound) {
  catalog::Ddl ddl(services_.catalog, block_.txn());
  auto answer = [&](const Status& status) {
    return FromDdl(status, ddl, *block_.txn(), statement_catalog_.get());
  };
  // False: there was nothing to do, and IF (NOT) EXISTS was given.
  auto created = [&](const Result<bool>& result, const std::string& name) -> SqlStatus {
    if (!result.ok()) return answer(result.status());
    if (!*result) Notice("42P07", "relation \"" + name + "\" already exists, skipping");
    return {};
  };
  return std::visit(
      Overloaded{[&](catalog::NewTable table) {
                   table.owner = role_oid_;
                   return created(ddl.CreateTable(table), table.name);
                 },
                 [&](const catalog::NewIndex& index) {
                   return created(ddl.CreateIndex(index), index.name);
                 },
                 [&](catalog::NewSequence sequence) {
                   sequence.owner = role_oid_;
                   return created(ddl.CreateSequence(sequence), sequence.name);
                 },
                 [&](const binder::BoundDrop& drop) { return ApplyDrop(drop, &ddl); },
                 [&](const binder::BoundAlterTable& alter) { return ApplyAlter(alter, &ddl); },
                 [&](const binder::BoundRename& rename) -> SqlStatus {
                   if (!rename.exists) {
                     Notice("00000",
                            "relation \"" + rename.table.name + "\" does not exist, skipping");
                     return {};
                   }
                   return answer(rename.column.empty()
                                     ? ddl.RenameTable(rename.table.schema, rename.table.name,
                                                       rename.new_name)
                                     : ddl.RenameColumn(rename.table.schema, rename.table.name,
                                                        rename.column, rename.new_name));
                 },
                 [&](const binder::BoundTruncate& truncate) {
                   std::vector<std::pair<std::string, std::string>> names;
                   for (const binder::RelationRef& t : truncate.tables)
                     names.emplace_back(t.schema, t.name);
                   return answer(ddl.Truncate(names,
                                              truncate.cascade ? catalog::DropBehavior::kCascade
                                                               : catalog::DropBehavior::kRestrict,
                                              truncate.restart_identity));
                 }},
      bound.action);
}

sql::SqlStatus Session::ApplyDrop(const binder::BoundDrop& drop, catalog::Ddl* ddl) {
  const catalog::DropBehavior behavior =
      drop.cascade ? catalog::DropBehavior::kCascade : catalog::DropBehavior::kRestrict;
  for (const binder::RelationRef& name : drop.names) {
    Result<bool> dropped = false;
    switch (drop.object) {
      case parser::ObjectKind::kTable:
        dropped = ddl->DropTable(name.schema, name.name, drop.if_exists, behavior);
        break;
      case parser::ObjectKind::kIndex:
        dropped = ddl->DropIndex(name.schema, name.name, drop.if_exists);
        break;
      case parser::ObjectKind::kSequence:
        dropped = ddl->DropSequence(name.schema, name.name, drop.if_exists, behavior);
        break;
    }
    if (!dropped.ok()) {
      return FromDdl(dropped.status(), *ddl, *block_.txn(), statement_catalog_.get());
    }
    if (!*dropped) {
      Notice("00000",
             std::string(Word(drop.object)) + " \"" + name.name + "\" does not exist, skipping");
    }
  }
  return {};
}

sql::SqlStatus Session::ApplyAlter(const binder::BoundAlterTable& alter, catalog::Ddl* ddl) {
  const std::string& schema = alter.table.schema;
  const std::string& table = alter.table.name;
  if (!alter.exists) {
    Notice("00000", "relation \"" + table + "\" does not exist, skipping");
    return {};
  }
  for (const binder::AlterStep& step : alter.steps) {
    const Status status = std::visit(
        Overloaded{[&](const binder::AlterAddColumn& add) {
                     Status s = ddl->AddColumn(schema, table, add.column);
                     if (!s.ok() && add.if_not_exists && ddl->sqlstate() == "42701") {
                       Notice("42701", "column \"" + add.column.name + "\" of relation \"" + table +
                                           "\" already exists, skipping");
                       return Status::Ok();
                     }
                     return s;
                   },
                   [&](const binder::AlterAddPrimaryKey& key) {
                     return ddl->AddPrimaryKey(schema, table, key.name, key.columns);
                   },
                   [&](const binder::AlterAddUnique& add) {
                     return ddl->AddUnique(schema, table, add.unique);
                   },
                   [&](const binder::AlterAddForeignKey& add) {
                     return ddl->AddForeignKey(schema, table, add.key);
                   },
                   [&](const binder::AlterDropConstraint& drop) {
                     return ddl->DropConstraint(schema, table, drop.name, drop.if_exists,
                                                drop.cascade ? catalog::DropBehavior::kCascade
                                                             : catalog::DropBehavior::kRestrict);
                   },
                   [&](const binder::AlterSetNotNull& set) {
                     return ddl->SetNotNull(schema, table, set.column, set.not_null);
                   },
                   [&](const binder::AlterSetDefault& set) {
                     return ddl->SetDefault(schema, table, set.column, set.sql);
                   },
                   [&](const binder::AlterNothing&) { return Status::Ok(); }},
        step);
    if (!status.ok()) return FromDdl(status, *ddl, *block_.txn(), statement_catalog_.get());
  }
  return {};
}

// ----------------------------------------------------------------------------------------- roles

sql::SqlStatus Session::SetRoleOptions(const parser::RoleOptions& options,
                                       catalog::RoleDescriptor* role) {
  if (options.replication.value_or(false)) return sql::FeatureNotSupported("REPLICATION roles");
  if (options.bypass_rls.value_or(false)) return sql::FeatureNotSupported("BYPASSRLS roles");
  if ((options.superuser && !superuser_)) {
    return {"42501", "must be superuser to alter superuser attribute"};
  }
  if (options.login) role->can_login = *options.login;
  if (options.superuser) role->superuser = *options.superuser;
  if (options.create_db) role->create_db = *options.create_db;
  if (options.create_role) role->create_role = *options.create_role;
  if (options.connection_limit) {
    if (*options.connection_limit >= 0) return sql::FeatureNotSupported("CONNECTION LIMIT");
    role->connection_limit = *options.connection_limit;
  }
  if (options.password_null) role->scram_verifier.clear();
  if (!options.password) return {};
  if (pgwire::ScramVerifier::Parse(*options.password).ok()) {
    role->scram_verifier = *options.password;
    return {};
  }
  if (options.password->starts_with("md5") && options.password->size() == 35) {
    return sql::FeatureNotSupported("an MD5 password").WithHint("Use SCRAM-SHA-256.");
  }
  Result<pgwire::ScramVerifier> made = pgwire::MakeScramVerifier(
      *options.password, services_.random->FillBytes(pgwire::kScramSaltBytes));
  if (made.code() == Code::kUnsupported) {
    return sql::FeatureNotSupported(made.status().message())
        .WithHint("Let the client make the verifier, as psql's \\password does.");
  }
  if (!made.ok()) return {"22023", made.status().message()};
  role->scram_verifier = made->ToString();
  return {};
}

sql::SqlStatus Session::RunRole(const parser::Statement& stmt, Outcome* outcome) {
  if (stmt.kind == parser::StatementKind::kDropRole) return sql::FeatureNotSupported("DROP ROLE");
  block_.txn()->BeginStatement();
  SQL_ASSIGN_OR_RETURN(catalog::SnapshotPtr catalog, ExactCatalog());
  catalog::RolePtr self = catalog->FindRole(user_);
  const bool may = self != nullptr && (self->superuser || self->create_role);
  catalog::RoleDescriptor role;
  if (stmt.kind == parser::StatementKind::kCreateRole) {
    const auto& create = static_cast<const parser::CreateRoleStmt&>(stmt);
    outcome->tag = "CREATE ROLE";
    if (!may) return {"42501", "permission denied to create role"};
    if (create.name.starts_with("pg_")) {
      return sql::SqlStatus("42939", "role name \"" + create.name + "\" is reserved")
          .WithDetail("Role names starting with \"pg_\" are reserved.");
    }
    if (catalog->FindRole(create.name) != nullptr) {
      return {"42710", "role \"" + create.name + "\" already exists"};
    }
    role.name = create.name;
    role.can_login = create.user;
    SQL_ASSIGN_OR_RETURN_BASE(role.oid, services_.catalog->NewOid());
    SQL_RETURN_IF_ERROR(SetRoleOptions(create.options, &role));
  } else {
    const auto& alter = static_cast<const parser::AlterRoleStmt&>(stmt);
    outcome->tag = "ALTER ROLE";
    const std::string name = alter.current_user ? user_ : alter.name;
    catalog::RolePtr old = catalog->FindRole(name);
    if (old == nullptr) return {"42704", "role \"" + name + "\" does not exist"};
    const bool own_password_only = name == user_ && !alter.options.login &&
                                   !alter.options.superuser && !alter.options.create_db &&
                                   !alter.options.create_role && !alter.options.connection_limit;
    if ((!may || (old->superuser && !superuser_)) && !own_password_only) {
      return {"42501", "permission denied"};
    }
    role = *old;
    SQL_RETURN_IF_ERROR(SetRoleOptions(alter.options, &role));
  }
  block_.set_has_ddl();
  catalog::Ddl ddl(services_.catalog, block_.txn());
  return FromDdl(ddl.PutRole(role), ddl, *block_.txn(), statement_catalog_.get());
}

}  // namespace borealis::session
