// What a node tells the host about itself before there is an instance.
#pragma once

#include "host.h"
#include "node.h"

namespace filmrestore {

void describe(const Node &node, OfxImageEffectHandle effect);
void describe_in_context(const Node &node, OfxImageEffectHandle effect);

}  // namespace filmrestore
