// Functions over the session, the catalog and the node: what psql, drivers and pgbench ask.
#include <cmath>

#include "common/sql/functions_internal.h"

namespace borealis::sql {
namespace {

using namespace oid;

SqlStatus PutText(std::string_view v, Datum* out) {
  *out = Datum::String(v);
  return {};
}
SqlStatus PutOptional(const std::optional<std::string>& v, Datum* out) {
  *out = v ? Datum::String(*v) : Datum();
  return {};
}
SqlStatus PutVoid(Datum* out) {
  *out = Datum::String("");
  return {};
}
uint32_t OidOf(const Datum& d) {
  return static_cast<uint32_t>(d.int_value());
}

void AddIdentity(RegistryBuilder* b) {
  for (const char* name : {"current_user", "user", "current_role"}) {
    b->Stable(
        name, {}, kName, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          return PutText(session->CurrentUser(), out);
        });
  }
  b->Stable(
      "session_user", {}, kName, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        return PutText(session->SessionUser(), out);
      });
  for (const char* name : {"current_database", "current_catalog"}) {
    b->Stable(
        name, {}, kName, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          return PutText(session->CurrentDatabase(), out);
        });
  }
  b->Stable(
      "current_schema", {}, kName, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        const auto path = session->SearchPath(false);
        if (path.empty()) return {};
        return PutText(path[0], out);
      });
  b->Stable(
      "current_schemas", {kBool}, kNameArray, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        std::vector<Datum> names;
        for (const std::string& s : session->SearchPath(a[0].bool_value()))
          names.push_back(Datum::String(s));
        *out = Datum::Array(kName, std::move(names));
        return {};
      });
  b->Stable(
      "version", {}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        return PutText(session->VersionText(), out);
      });
  b->Stable(
      "borealis_writer", {}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        return PutText(session->WriterName(), out);
      });
  b->Stable(
      "pg_backend_pid", {}, kInt4, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        *out = Datum::Int(session->BackendPid());
        return {};
      });
  b->Volatile(
      "pg_cancel_backend", {kInt4}, kBool, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        SQL_ASSIGN_OR_RETURN(
            bool done, session->SignalBackend(static_cast<int32_t>(a[0].int_value()), false, 0));
        *out = Datum::Bool(done);
        return {};
      });
  b->Volatile(
       "pg_terminate_backend", {kInt4, kInt8}, kBool,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         const int64_t timeout_ms = n > 1 ? a[1].int_value() : 0;
         if (timeout_ms < 0) return SqlStatus("22003", "\"timeout\" must not be negative");
         SQL_ASSIGN_OR_RETURN(
             bool done,
             session->SignalBackend(static_cast<int32_t>(a[0].int_value()), true, timeout_ms));
         *out = Datum::Bool(done);
         return {};
       })
      .defaults = 1;
  b->Stable(
      "pg_is_in_recovery", {}, kBool, SQL_BODY {
        *out = Datum::Bool(false);
        return {};
      });
  b->Stable(
       "current_setting", {kText, kBool}, kText,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         SQL_ASSIGN_OR_RETURN(auto v,
                              session->GetSetting(a[0].string_value(), n > 1 && a[1].bool_value()));
         return PutOptional(v, out);
       })
      .defaults = 1;
  b->Volatile(
       "set_config", {kText, kText, kBool}, kText,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         if (a[0].is_null()) return SqlStatus("22004", "SET requires parameter name");
         SQL_ASSIGN_OR_RETURN(
             std::string v,
             session->SetSetting(a[0].string_value(), a[1].is_null() ? "" : a[1].string_value(),
                                 a[2].is_true()));
         return PutText(v, out);
       })
      .strict = false;
  b->Volatile(
      "pg_sleep", {kFloat8}, kVoid, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        const double seconds = a[0].double_value();
        if (seconds > 0 && std::isfinite(seconds)) SQL_RETURN_IF_ERROR(session->Sleep(seconds));
        return PutVoid(out);
      });
  for (const char* name : {"inet_server_addr", "inet_client_addr"}) {
    b->Stable(
        name, {}, kText, SQL_BODY { return SqlStatus(); });
  }
}

void AddTransactions(RegistryBuilder* b) {
  for (const char* name : {"pg_current_xact_id", "txid_current"}) {
    b->Volatile(
        name, {}, name[0] == 'p' ? kXid8 : kInt8, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          SQL_ASSIGN_OR_RETURN(auto id, session->CurrentXactId(true));
          if (id) *out = Datum::Int(*id);
          return {};
        });
  }
  for (const char* name : {"pg_current_xact_id_if_assigned", "txid_current_if_assigned"}) {
    b->Volatile(
        name, {}, name[0] == 'p' ? kXid8 : kInt8, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          SQL_ASSIGN_OR_RETURN(auto id, session->CurrentXactId(false));
          if (id) *out = Datum::Int(*id);
          return {};
        });
  }
  for (const char* name : {"pg_xact_status", "txid_status"}) {
    b->Volatile(
        name, {name[0] == 'p' ? kXid8 : kInt8}, kText, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          SQL_ASSIGN_OR_RETURN(auto status, session->XactStatus(a[0].int_value()));
          return PutOptional(status, out);
        });
  }
  b->Volatile(
      "nextval", {kRegclass}, kInt8, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        SQL_ASSIGN_OR_RETURN(int64_t v, session->NextVal(OidOf(a[0])));
        *out = Datum::Int(v);
        return {};
      });
  b->Volatile(
      "currval", {kRegclass}, kInt8, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        SQL_ASSIGN_OR_RETURN(int64_t v, session->CurrVal(OidOf(a[0])));
        *out = Datum::Int(v);
        return {};
      });
  b->Volatile(
      "lastval", {}, kInt8, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        SQL_ASSIGN_OR_RETURN(int64_t v, session->LastVal());
        *out = Datum::Int(v);
        return {};
      });
  b->Volatile(
       "setval", {kRegclass, kInt8, kBool}, kInt8,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         SQL_RETURN_IF_ERROR(
             session->SetVal(OidOf(a[0]), a[1].int_value(), n < 3 || a[2].bool_value()));
         *out = a[1];
         return {};
       })
      .defaults = 1;
  b->Stable(
      "pg_get_serial_sequence", {kText, kText}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        SQL_ASSIGN_OR_RETURN(auto v,
                             session->SerialSequence(a[0].string_value(), a[1].string_value()));
        return PutOptional(v, out);
      });
}

SqlStatus Definition(const std::optional<std::string>& v, Datum* out) {
  return PutOptional(v, out);
}

SqlStatus Visible(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  SQL_SESSION_OR_RETURN(session);
  const auto relation = session->FindRelationName(OidOf(a[0]));
  if (relation) *out = Datum::Bool(relation->visible);
  return {};
}

SqlStatus AlwaysTrue(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  *out = Datum::Bool(true);
  return {};
}
SqlStatus AlwaysNull(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  return {};
}

void AddDefinitions(RegistryBuilder* b) {
  b->Stable(
      "pg_get_userbyid", {kOid}, kName, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        const auto name = session->RoleName(OidOf(a[0]));
        return PutText(name ? *name : "unknown (OID=" + std::to_string(OidOf(a[0])) + ")", out);
      });
  b->Stable(
       "format_type", {kOid, kInt4}, kText,
       SQL_BODY {
         if (a[0].is_null()) return {};
         return PutText(
             FormatType(OidOf(a[0]), a[1].is_null() ? -1 : static_cast<int32_t>(a[1].int_value())),
             out);
       })
      .strict = false;
  // The catalog keeps expressions as SQL text: that is what pg_node_tree holds here.
  const auto text_of_tree = SQL_BODY {
    return PutText(a[0].string_value(), out);
  };
  for (TypeOid tree : {kPgNodeTree, kText}) {
    b->Stable("pg_get_expr", {tree, kOid, kBool}, kText, text_of_tree).defaults = 1;
  }
  b->Stable(
      "pg_get_indexdef", {kOid}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        return Definition(session->IndexDefinition(OidOf(a[0]), 0), out);
      });
  b->Stable(
      "pg_get_indexdef", {kOid, kInt4, kBool}, kText, SQL_BODY {
        SQL_SESSION_OR_RETURN(session);
        return Definition(session->IndexDefinition(OidOf(a[0]), static_cast<int>(a[1].int_value())),
                          out);
      });
  b->Stable(
       "pg_get_constraintdef", {kOid, kBool}, kText,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         return Definition(session->ConstraintDefinition(OidOf(a[0]), n > 1 && a[1].bool_value()),
                           out);
       })
      .defaults = 1;
  b->Stable(
       "pg_get_viewdef", {kOid, kBool}, kText,
       SQL_BODY {
         SQL_SESSION_OR_RETURN(session);
         return Definition(session->ViewDefinition(OidOf(a[0])), out);
       })
      .defaults = 1;
  for (const char* name :
       {"pg_get_triggerdef", "pg_get_ruledef", "pg_get_functiondef", "pg_get_function_result",
        "pg_get_function_arguments", "pg_get_statisticsobjdef_columns", "pg_get_partkeydef",
        "pg_tablespace_location"}) {
    b->Stable(name, {kOid}, kText, AlwaysNull);
  }
  b->Stable("pg_get_triggerdef", {kOid, kBool}, kText, AlwaysNull);
  b->Stable("pg_get_ruledef", {kOid, kBool}, kText, AlwaysNull);
  b->Stable("pg_get_partition_constraintdef", {kOid}, kText, AlwaysNull);
  b->Stable("pg_table_is_visible", {kOid}, kBool, Visible);
  for (const char* name :
       {"pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible",
        "pg_collation_is_visible", "pg_opclass_is_visible", "pg_statistics_obj_is_visible"}) {
    b->Stable(name, {kOid}, kBool, AlwaysTrue);
  }
  b->Stable("pg_relation_is_publishable", {kRegclass}, kBool, AlwaysTrue);
  b->Stable(
      "pg_relation_is_updatable", {kRegclass, kBool}, kInt4, SQL_BODY {
        *out = Datum::Int(28);  // insert, update, delete
        return {};
      });
  b->Stable("obj_description", {kOid, kName}, kText, AlwaysNull).defaults = 1;
  b->Stable("col_description", {kOid, kInt4}, kText, AlwaysNull);
  b->Stable("shobj_description", {kOid, kName}, kText, AlwaysNull);
  b->Stable(
      "pg_encoding_to_char", {kInt4}, kName,
      SQL_BODY { return PutText(a[0].int_value() == 6 ? "UTF8" : "", out); });
  b->Stable(
      "pg_char_to_encoding", {kName}, kInt4, SQL_BODY {
        const std::string_view s = a[0].string_value();
        *out = Datum::Int(s == "UTF8" || s == "utf8" || s == "UTF-8" ? 6 : -1);
        return {};
      });
  b->Stable(
      "pg_client_encoding", {}, kName, SQL_BODY { return PutText("UTF8", out); });
}

SqlStatus ToReg(CallInfo& call, const Datum* a, size_t n, Datum* out) {
  auto found = TextInput({call.function.result, -1}, a[0].string_value(), IoOf(call.context));
  if (found.ok()) {
    *out = *found;
    return {};
  }
  const std::string_view state = found.sqlstate();
  if (state == "42P01" || state == "42704" || state == "3F000") return {};
  return found.status();
}

std::string Pretty(int64_t bytes) {
  static constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  double v = static_cast<double>(bytes);
  while (std::fabs(v) >= 10240 && unit < 5) {
    v /= 1024;
    ++unit;
  }
  return std::to_string(static_cast<int64_t>(std::llround(v))) + " " + kUnits[unit];
}

void AddMisc(RegistryBuilder* b) {
  b->Stable("to_regclass", {kText}, kRegclass, ToReg);
  b->Stable("to_regtype", {kText}, kRegtype, ToReg);
  b->Stable("to_regrole", {kText}, kRegrole, ToReg);
  b->Stable("to_regnamespace", {kText}, kRegnamespace, ToReg);
  for (const char* name :
       {"pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size"}) {
    b->Stable(
        name, {kRegclass}, kInt8, SQL_BODY {
          SQL_SESSION_OR_RETURN(session);
          *out = Datum::Int(session->RelationSize(OidOf(a[0])));
          return {};
        });
  }
  for (TypeOid type : {kOid, kName}) {
    b->Stable(
        "pg_database_size", {type}, kInt8, SQL_BODY {
          *out = Datum::Int(0);
          return {};
        });
  }
  b->Add(
      "pg_size_pretty", {kInt8}, kText,
      SQL_BODY { return PutText(Pretty(a[0].int_value()), out); });
  // Every role may do everything for now: grants come with roles.
  for (const char* name :
       {"has_table_privilege", "has_schema_privilege", "has_database_privilege",
        "has_sequence_privilege", "has_column_privilege", "has_any_column_privilege"}) {
    b->Stable(name, {kOid, kText}, kBool, AlwaysTrue);
    b->Stable(name, {kText, kText}, kBool, AlwaysTrue);
    b->Stable(name, {kName, kOid, kText}, kBool, AlwaysTrue);
  }
  b->Stable("pg_has_role", {kOid, kText}, kBool, AlwaysTrue);
  b->Stable("pg_has_role", {kName, kOid, kText}, kBool, AlwaysTrue);
  b->Stable(
       "pg_typeof", {kAny}, kRegtype,
       SQL_BODY {
         *out = Datum::Int(call.args[0]->type.oid);
         return {};
       })
      .strict = false;
  b->Stable("pg_postmaster_start_time", {}, kTimestamptz, AlwaysNull);
  b->Stable("pg_conf_load_time", {}, kTimestamptz, AlwaysNull);
  b->Stable(
      "pg_stat_get_numscans", {kOid}, kInt8, SQL_BODY {
        *out = Datum::Int(0);
        return {};
      });
  b->Add(
       "num_nulls", {kAny}, kInt4,
       SQL_BODY {
         int64_t count = 0;
         for (size_t i = 0; i < n; ++i) count += a[i].is_null();
         *out = Datum::Int(count);
         return {};
       })
      .variadic = true;
  b->functions.back().strict = false;
  // Not there yet, and refused by name: by absence it would be 42883.
  for (const char* name : {"pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_unlock",
                           "pg_advisory_xact_lock", "pg_try_advisory_xact_lock"}) {
    b->Volatile(
        name, {kInt8}, kBool, SQL_BODY { return FeatureNotSupported("advisory locks"); });
  }
}

}  // namespace

void AddSystem(RegistryBuilder* b) {
  AddIdentity(b);
  AddTransactions(b);
  AddDefinitions(b);
  AddMisc(b);
}

}  // namespace borealis::sql
