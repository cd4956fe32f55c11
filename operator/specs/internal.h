// What the files of specs share.
#pragma once

#include "operator/specs/specs.h"

namespace borealis::specs {

Json OwnerReferences(const std::string& kind, const std::string& name, const std::string& uid);
// `owned`: by the cluster's resource, so that Kubernetes deletes it with that.
Json Metadata(const api::Cluster& cluster, const std::string& name, const std::string& role,
              bool owned);
bool DataIsOwned(const api::Cluster& cluster);

}  // namespace borealis::specs
