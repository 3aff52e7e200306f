// The render action: source to output, then the engine's answer over it.
#pragma once

#include "effect.h"

namespace filmrestore {

OfxStatus render(Effect &effect, const Properties &in);

}  // namespace filmrestore
