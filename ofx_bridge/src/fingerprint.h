// A name for pixels by their content, so that a frame crosses to the engine once, whatever the host calls it.
#pragma once

#include <string>

#include "image_view.h"

namespace filmrestore {

// Differs when the image lies elsewhere in `box`, or by `also`; the pixels are not looked at.
std::string placed(const ImageView &image, const OfxRectI &box, const std::string &also);
// Differs when any bit of the pixels differs, or where the image lies in `box`, or `also`. Not meant against malice.
std::string fingerprint(const ImageView &image, const OfxRectI &box, const std::string &also);

}  // namespace filmrestore
