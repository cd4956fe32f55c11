#include "writer-node/session/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "common/base/check.h"

namespace borealis::session {
namespace {

using sql::SqlResult;
using sql::SqlStatus;

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Position in SettingDefinitions(); npos when there is none.
size_t FindSetting(std::string_view name) {
  const auto& all = SettingDefinitions();
  const std::string lower = Lower(name);
  auto it = std::lower_bound(all.begin(), all.end(), lower,
                             [](const auto& d, const auto& n) { return Lower(d.name) < n; });
  if (it == all.end() || Lower(it->name) != lower) return static_cast<size_t>(-1);
  return static_cast<size_t>(it - all.begin());
}

size_t PositionOf(SettingId id) {
  static const auto* positions = [] {
    auto* p = new std::array<size_t, static_cast<size_t>(SettingId::kOther)>{};
    const auto& all = SettingDefinitions();
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].id != SettingId::kOther) (*p)[static_cast<size_t>(all[i].id)] = i;
    }
    return p;
  }();
  BOREALIS_CHECK(id != SettingId::kOther);
  return (*positions)[static_cast<size_t>(id)];
}

SqlStatus Unknown(std::string_view name) {
  return {"42704", "unrecognized configuration parameter \"" + std::string(name) + "\""};
}

SqlStatus Invalid(const SettingDefinition& d, std::string_view value) {
  return {"22023", "invalid value for parameter \"" + std::string(d.name) + "\": \"" +
                       std::string(value) + "\""};
}

// "on", "tru", "0": unique prefixes as PostgreSQL's parse_bool takes them.
std::optional<bool> ParseBool(std::string_view text) {
  const std::string v = Lower(text);
  if (v.empty()) return std::nullopt;
  auto prefix_of = [&v](std::string_view word, size_t least) {
    return v.size() >= least && word.starts_with(v);
  };
  if (prefix_of("true", 1) || prefix_of("yes", 1) || v == "on" || v == "1") return true;
  if (prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || v == "0") return false;
  return std::nullopt;
}

struct UnitName {
  std::string_view name;
  double factor;
};
constexpr UnitName kTimeUnits[] = {{"d", 86400000.0}, {"h", 3600000.0}, {"min", 60000.0},
                                   {"s", 1000.0},     {"ms", 1.0},      {"us", 0.001}};
constexpr UnitName kMemoryUnits[] = {{"TB", 1024.0 * 1024 * 1024},
                                     {"GB", 1024.0 * 1024},
                                     {"MB", 1024.0},
                                     {"kB", 1.0},
                                     {"B", 1.0 / 1024}};

std::string_view Trim(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
  return s;
}

// "10s" -> 10000 for milliseconds. None when it is no number or the unit is unknown.
std::optional<double> ParseNumber(const SettingDefinition& d, std::string_view text) {
  text = Trim(text);
  std::string buffer(text);
  char* end = nullptr;
  const double number = std::strtod(buffer.c_str(), &end);
  if (end == buffer.c_str() || !std::isfinite(number)) return std::nullopt;
  std::string_view unit = Trim(std::string_view(end));
  if (unit.empty()) return number;
  auto scaled = [&](const auto& units) -> std::optional<double> {
    for (const UnitName& u : units) {
      if (u.name == unit) return number * u.factor;
    }
    return std::nullopt;
  };
  if (d.unit == SettingUnit::kMilliseconds) return scaled(kTimeUnits);
  if (d.unit == SettingUnit::kKilobytes) return scaled(kMemoryUnits);
  return std::nullopt;
}

SqlResult<std::string> CheckNumber(const SettingDefinition& d, std::string_view text) {
  std::optional<double> number = ParseNumber(d, text);
  if (!number) {
    SqlStatus status = Invalid(d, text);
    if (d.unit == SettingUnit::kMilliseconds) {
      status.set_hint(
          "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".");
    } else if (d.unit == SettingUnit::kKilobytes) {
      status.set_hint(
          "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".");
    }
    return status;
  }
  const double rounded = std::round(*number);
  auto shown = [](double v) { return std::to_string(static_cast<int64_t>(v)); };
  if (rounded < d.min || rounded > d.max) {
    const std::string unit = d.unit == SettingUnit::kMilliseconds ? " ms"
                             : d.unit == SettingUnit::kKilobytes  ? " kB"
                                                                  : "";
    const std::string value = std::abs(rounded) < 1e15 ? shown(rounded) : std::string(text);
    return SqlStatus("22023", value + unit + " is outside the valid range for parameter \"" +
                                  std::string(d.name) + "\" (" + shown(d.min) + unit + " .. " +
                                  shown(d.max) + unit + ")");
  }
  return shown(rounded);
}

SqlResult<std::string> CheckChoice(const SettingDefinition& d, std::string_view text) {
  std::string lower = Lower(text);
  if (d.name == "client_encoding") {
    // The names that PostgreSQL takes for UTF8: case and punctuation do not count.
    std::erase_if(lower, [](unsigned char c) { return !std::isalnum(c); });
    if (lower == "unicode") lower = "utf8";
    if (lower == "utf8") return std::string("UTF8");
    return sql::FeatureNotSupported("client_encoding \"" + std::string(text) + "\"")
        .WithHint("Only UTF8 is supported.");
  }
  if (d.choices.size() <= 2 && (d.choices[0] == "on")) {
    if (std::optional<bool> b = ParseBool(text)) lower = *b ? "on" : "off";
  }
  if (d.name == "synchronous_commit" && ParseBool(text)) lower = *ParseBool(text) ? "on" : "off";
  for (std::string_view choice : d.choices) {
    if (Lower(choice) != lower) continue;
    // Never silently weaker: there is no such level yet.
    if (choice == "serializable") {
      return sql::FeatureNotSupported("isolation level serializable")
          .WithHint("Use repeatable read or read committed.");
    }
    return std::string(choice);
  }
  if (d.choices.size() == 1) {
    return sql::FeatureNotSupported(std::string(d.name) + " = " + std::string(text));
  }
  std::string list;
  for (std::string_view choice : d.choices)
    list += (list.empty() ? "" : ", ") + std::string(choice);
  return Invalid(d, text).WithHint("Available values: " + list + ".");
}

// Only ISO is there; the order of day and month does not matter to it beyond input, which is MDY.
SqlResult<std::string> CheckDateStyle(const SettingDefinition& d, std::string_view text) {
  std::string lower = Lower(text);
  std::replace(lower.begin(), lower.end(), ',', ' ');
  size_t at = 0;
  while (at < lower.size()) {
    size_t end = std::min(lower.find(' ', at), lower.size());
    std::string word = lower.substr(at, end - at);
    at = end + 1;
    if (word.empty() || word == "iso" || word == "mdy" || word == "us" || word == "default" ||
        word == "noneuro" || word == "noneuropean") {
      continue;
    }
    for (std::string_view known : {"sql", "postgres", "german", "dmy", "ymd", "euro", "european"}) {
      if (word == known) return sql::FeatureNotSupported("DateStyle \"" + std::string(text) + "\"");
    }
    return Invalid(d, text);
  }
  return std::string("ISO, MDY");
}

SqlResult<std::string> CheckTimeZone(const SettingDefinition& d, std::string_view text) {
  const std::string lower = Lower(text);
  for (std::string_view utc : {"utc", "gmt", "etc/utc", "etc/gmt", "zulu", "etc/zulu", "uct", "z",
                               "etc/uct", "universal", "default", "0", "+00", "+00:00", "gmt0"}) {
    if (lower == utc) return std::string("UTC");
  }
  return sql::FeatureNotSupported("time zone \"" + std::string(text) + "\"")
      .WithHint("Only UTC is supported.");
}

bool IsValidNames(std::string_view text) {
  return SplitNames(text).has_value();
}

SqlResult<std::string> CheckText(const SettingDefinition& d, std::string_view text) {
  switch (d.id) {
    case SettingId::kDateStyle:
      return CheckDateStyle(d, text);
    case SettingId::kTimeZone:
      return CheckTimeZone(d, text);
    case SettingId::kSearchPath:
      if (!IsValidNames(text)) return Invalid(d, text).WithDetail("List syntax is invalid.");
      return std::string(text);
    case SettingId::kApplicationName: {
      // As PostgreSQL does: what is not printable ASCII shows as '?', and 63 bytes are kept.
      std::string out(text.substr(0, 63));
      for (char& c : out) {
        if (c < 0x20 || c > 0x7E) c = '?';
      }
      return out;
    }
    default:
      return std::string(text);
  }
}

// The value as it is kept, or why it is refused.
SqlResult<std::string> Canonical(const SettingDefinition& d, std::string_view text) {
  switch (d.type) {
    case SettingType::kBool: {
      std::optional<bool> v = ParseBool(text);
      if (!v) {
        return SqlStatus("22023",
                         "parameter \"" + std::string(d.name) + "\" requires a Boolean value");
      }
      return std::string(*v ? "on" : "off");
    }
    case SettingType::kInt:
    case SettingType::kReal:
      return CheckNumber(d, text);
    case SettingType::kEnum:
      return CheckChoice(d, text);
    case SettingType::kString:
      return CheckText(d, text);
  }
  return Invalid(d, text);
}

// Of a placeholder such as "shop.tenant": two or more identifiers joined by dots.
bool IsCustomName(std::string_view name) {
  if (name.starts_with("borealis.") || name.size() > 127) return false;
  size_t dots = 0;
  bool start = true;
  for (char c : name) {
    if (c == '.') {
      if (start) return false;
      ++dots;
      start = true;
      continue;
    }
    const bool letter = std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80);
    if (!letter && (start || (!std::isdigit(static_cast<unsigned char>(c)) && c != '$')))
      return false;
    start = false;
  }
  return dots >= 1 && !start;
}

}  // namespace

std::optional<std::vector<std::string>> SplitNames(std::string_view list) {
  std::vector<std::string> names;
  list = Trim(list);
  if (list.empty()) return names;
  while (true) {
    std::string name;
    list = Trim(list);
    if (list.starts_with('"')) {
      size_t i = 1;
      for (; i < list.size(); ++i) {
        if (list[i] != '"') {
          name += list[i];
        } else if (i + 1 < list.size() && list[i + 1] == '"') {
          name += '"';
          ++i;
        } else {
          break;
        }
      }
      if (i >= list.size()) return std::nullopt;  // no closing quote
      list = Trim(list.substr(i + 1));
      if (name.empty()) return std::nullopt;
    } else {
      size_t end = std::min(list.find_first_of(", \t\n"), list.size());
      name = Lower(list.substr(0, end));
      if (name.empty() || name.find('"') != std::string::npos) return std::nullopt;
      list = Trim(list.substr(end));
    }
    names.push_back(std::move(name));
    if (list.empty()) return names;
    if (list.front() != ',') return std::nullopt;
    list.remove_prefix(1);
  }
}

Settings::Settings() : values_(SettingDefinitions().size()) {
  for (size_t i = 0; i < values_.size(); ++i) {
    Value& v = values_[i];
    v.session = v.reset = SettingDefinitions()[i].default_text;
    Store(i, v.reset);
  }
}

void Settings::Store(size_t index, std::string text) {
  const SettingDefinition& d = SettingDefinitions()[index];
  Value& v = values_[index];
  v.current = std::move(text);
  if (d.type == SettingType::kBool) v.number = v.current == "on";
  if (d.type == SettingType::kInt) {
    v.number = 0;
    std::from_chars(v.current.data(), v.current.data() + v.current.size(), v.number);
  }
  if (d.id == SettingId::kSearchPath) {
    search_path_ = SplitNames(v.current).value_or(std::vector<std::string>{});
    std::erase(search_path_, "$user");
  }
}

std::string Settings::Shown(size_t index) const {
  const SettingDefinition& d = SettingDefinitions()[index];
  const Value& v = values_[index];
  auto with_unit = [&v](const auto& units) {
    for (const UnitName& u : units) {
      const auto factor = static_cast<int64_t>(u.factor);
      if (factor >= 1 && v.number != 0 && v.number % factor == 0) {
        return std::to_string(v.number / factor) + std::string(u.name);
      }
    }
    return v.current;
  };
  if (d.unit == SettingUnit::kMilliseconds) return with_unit(kTimeUnits);
  if (d.unit == SettingUnit::kKilobytes) return with_unit(kMemoryUnits);
  return v.current;
}

SqlResult<std::string> Settings::Show(std::string_view name) const {
  size_t index = FindSetting(name);
  if (index != kNone) return Shown(index);
  auto it = custom_.find(Lower(name));
  if (it == custom_.end()) return Unknown(name);
  return it->second.current;
}

const std::string& Settings::Text(SettingId id) const {
  return values_[PositionOf(id)].current;
}
bool Settings::Bool(SettingId id) const {
  return values_[PositionOf(id)].number != 0;
}
int64_t Settings::Int(SettingId id) const {
  return values_[PositionOf(id)].number;
}

std::vector<Settings::Row> Settings::ShowAll() const {
  std::vector<Row> out;
  for (size_t i = 0; i < values_.size(); ++i) {
    const SettingDefinition& d = SettingDefinitions()[i];
    out.push_back({std::string(d.name), Shown(i), std::string(d.description)});
  }
  for (const auto& [name, value] : custom_) out.push_back({name, value.current, ""});
  return out;
}

std::vector<catalog::SettingRow> Settings::Describe() const {
  static constexpr const char* kTypes[] = {"bool", "integer", "real", "string", "enum"};
  std::vector<catalog::SettingRow> out;
  for (size_t i = 0; i < values_.size(); ++i) {
    const SettingDefinition& d = SettingDefinitions()[i];
    catalog::SettingRow& row = out.emplace_back();
    row.name = d.name;
    row.value = values_[i].current;
    row.description = d.description;
    row.category = d.name.starts_with("borealis.") ? "Borealis" : "Client Connection Defaults";
    row.context = d.context == SettingContext::kInternal ? "internal" : "user";
    row.type = kTypes[static_cast<size_t>(d.type)];
    row.default_value = d.default_text;
    row.reset_value = values_[i].reset;
    if (d.unit == SettingUnit::kMilliseconds) row.unit = "ms";
    if (d.unit == SettingUnit::kKilobytes) row.unit = "kB";
    for (std::string_view choice : d.choices) row.choices.emplace_back(choice);
    if (d.type == SettingType::kInt) {
      row.min_value = std::to_string(static_cast<int64_t>(d.min));
      row.max_value = std::to_string(static_cast<int64_t>(d.max));
    }
  }
  for (const auto& [name, value] : custom_) {
    catalog::SettingRow& row = out.emplace_back();
    row.name = name;
    row.value = value.current;
    row.category = "Customized Options";
  }
  return out;
}

SqlStatus Settings::Change(size_t index, const std::string& text, bool local) {
  Value& v = values_[index];
  undo_.push_back({index, {}, v.current, v.session});
  if (!local) v.session = text;
  Store(index, text);
  return {};
}

SqlStatus Settings::ChangeCustom(const std::string& name, const std::string& text, bool local) {
  auto it = custom_.find(name);
  if (it == custom_.end() && custom_.size() >= 1000) {
    return {"53000", "too many custom configuration parameters in one session"};
  }
  Undo undo{kNone, name, std::nullopt, std::nullopt};
  if (it != custom_.end()) {
    undo.current = it->second.current;
    undo.session = it->second.session;
  }
  undo_.push_back(std::move(undo));
  Value& v = custom_[name];
  v.current = text;
  if (!local) v.session = text;
  return {};
}

SqlStatus Settings::Set(std::string_view name, const std::vector<std::string>& values, bool local) {
  const size_t index = FindSetting(name);
  std::string text;
  if (index != kNone && SettingDefinitions()[index].id == SettingId::kSearchPath) {
    // Each element is a name of its own: SET search_path = 'a, b' names one odd schema.
    for (const std::string& value : values) {
      const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return std::islower(static_cast<unsigned char>(c)) ||
               std::isdigit(static_cast<unsigned char>(c)) || c == '_';
      });
      std::string quoted;
      for (char c : value) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
      if (value.empty()) continue;
      text += (text.empty() ? "" : ", ") + (plain ? value : "\"" + quoted + "\"");
    }
    return Change(index, text, local);
  }
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  if (index == kNone) {
    const std::string lower = Lower(name);
    return IsCustomName(lower) ? ChangeCustom(lower, text, local) : Unknown(name);
  }
  const SettingDefinition& d = SettingDefinitions()[index];
  if (values.size() > 1 && d.id != SettingId::kDateStyle) {
    return {"22023", "SET " + std::string(d.name) + " takes only one argument"};
  }
  if (d.context == SettingContext::kInternal) {
    return {"55P02", "parameter \"" + std::string(d.name) + "\" cannot be changed"};
  }
  SQL_ASSIGN_OR_RETURN(std::string canonical, Canonical(d, text));
  return Change(index, canonical, local);
}

SqlStatus Settings::Reset(std::string_view name, bool local) {
  const size_t index = FindSetting(name);
  if (index == kNone) {
    const std::string lower = Lower(name);
    if (!custom_.contains(lower)) return IsCustomName(lower) ? SqlStatus() : Unknown(name);
    return ChangeCustom(lower, "", local);
  }
  if (SettingDefinitions()[index].context == SettingContext::kInternal) {
    return {"55P02", "parameter \"" + std::string(SettingDefinitions()[index].name) +
                         "\" cannot be changed"};
  }
  return Change(index, values_[index].reset, local);
}

void Settings::ResetAll() {
  for (size_t i = 0; i < values_.size(); ++i) {
    const SettingDefinition& d = SettingDefinitions()[i];
    const bool of_transaction = d.id == SettingId::kTransactionIsolation ||
                                d.id == SettingId::kTransactionReadOnly ||
                                d.id == SettingId::kTransactionDeferrable;
    if (d.context == SettingContext::kUser && !of_transaction &&
        values_[i].current != values_[i].reset) {
      (void)Change(i, values_[i].reset, false).ok();
    }
  }
  for (auto& [name, value] : custom_) (void)ChangeCustom(name, "", false).ok();
}

void Settings::SetInternal(SettingId id, std::string text) {
  const size_t index = PositionOf(id);
  values_[index].session = values_[index].reset = text;
  Store(index, std::move(text));
}

SqlStatus Settings::SetAtStartup(std::string_view name, const std::string& value) {
  SQL_RETURN_IF_ERROR(Set(name, {value}, false));
  undo_.clear();
  const size_t index = FindSetting(name);
  if (index != kNone) {
    // What a packet gives for a list is the list itself.
    if (SettingDefinitions()[index].id == SettingId::kSearchPath) {
      if (!IsValidNames(value)) return Invalid(SettingDefinitions()[index], value);
      Store(index, value);
      values_[index].session = value;
    }
    values_[index].reset = values_[index].current;
  }
  return {};
}

void Settings::RollbackTo(Mark mark) {
  BOREALIS_CHECK(mark <= undo_.size());
  while (undo_.size() > mark) {
    Undo undo = std::move(undo_.back());
    undo_.pop_back();
    if (undo.index != kNone) {
      values_[undo.index].session = *undo.session;
      Store(undo.index, *undo.current);
    } else if (!undo.current) {
      custom_.erase(undo.custom);
    } else {
      Value& v = custom_[undo.custom];
      v.current = *undo.current;
      v.session = *undo.session;
    }
  }
}

void Settings::EndTransaction(bool committed) {
  if (!committed) return RollbackTo(0);
  for (const Undo& undo : undo_) {
    if (undo.index != kNone) {
      Value& v = values_[undo.index];
      if (v.current != v.session) Store(undo.index, v.session);
    } else {
      Value& v = custom_[undo.custom];
      v.current = v.session;
    }
  }
  undo_.clear();
}

std::vector<std::pair<std::string, std::string>> Settings::TakeChanges() {
  std::vector<std::pair<std::string, std::string>> changes;
  for (size_t i = 0; i < values_.size(); ++i) {
    const SettingDefinition& d = SettingDefinitions()[i];
    Value& v = values_[i];
    if (!d.report || v.reported == v.current) continue;
    v.reported = v.current;
    changes.emplace_back(d.name, Shown(i));
  }
  return changes;
}

}  // namespace borealis::session
