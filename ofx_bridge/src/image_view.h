// Pixels of a host's image, addressed by the host's coordinates: bounds anywhere, rows in either direction.
#pragma once

#include <cstddef>
#include <vector>

#include "ofx_abi.h"

namespace filmrestore {

constexpr int width(const OfxRectI &box) { return box.x2 - box.x1; }
constexpr int height(const OfxRectI &box) { return box.y2 - box.y1; }
constexpr bool is_empty(const OfxRectI &box) { return box.x2 <= box.x1 || box.y2 <= box.y1; }
OfxRectI common_part(const OfxRectI &a, const OfxRectI &b);

// Float pixels that somebody else owns. `data` is the pixel (bounds.x1, bounds.y1); y grows upwards; `row_bytes` leads
// from one row to the one above it and may be negative.
class ImageView {
  public:
    ImageView(void *data, const OfxRectI &bounds, std::ptrdiff_t row_bytes, int channels);

    // The `channels()` floats of a pixel inside the bounds.
    float *pixel(int x, int y) const;
    const OfxRectI &bounds() const { return bounds_; }
    int channels() const { return channels_; }
    std::ptrdiff_t row_bytes() const { return row_bytes_; }

  private:
    std::byte *data_;
    OfxRectI bounds_;
    std::ptrdiff_t row_bytes_;
    int channels_;
};

// The engine's order: top row first, no gaps.
//
// Colour of the pixels in `box`, 3 floats each; 0 where the image has none.
void pack_colour(const ImageView &image, const OfxRectI &box, float *packed);
// The mask in `box`, 1 float each: alpha of four channels, else the first; 0 outside the image.
void pack_mask(const ImageView &image, const OfxRectI &box, float *packed);
// Writes colour packed from `box` into `part` of an image; alpha stays.
void unpack_colour(const float *packed, const OfxRectI &box, const ImageView &image, const OfxRectI &part);
// `part` of the target: colour packed from `box`, and all else as in the source.
void lay_over(const float *packed, const OfxRectI &box, const ImageView &source, const ImageView &target,
              const OfxRectI &part);
// Copies `part`; 0 where the source has no pixels; alpha of an opaque source is 1.
void copy_part(const ImageView &source, const ImageView &target, const OfxRectI &part);

// For a source that is not there.
void fill_black(const ImageView &target, const OfxRectI &part);

}  // namespace filmrestore
