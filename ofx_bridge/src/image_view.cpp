#include "image_view.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace filmrestore {

namespace {

constexpr std::size_t colour_channels = 3;

std::size_t floats_in_row(const OfxRectI &box, std::size_t channels) {
    return static_cast<std::size_t>(width(box)) * channels;
}

// Calls `with_row(y, packed_row)` for every row of the box, from the top.
template <typename WithRow>
void for_packed_rows(const OfxRectI &box, std::size_t channels, WithRow with_row) {
    std::size_t at = 0;
    for (int y = box.y2 - 1; y >= box.y1; --y, at += floats_in_row(box, channels)) with_row(y, at);
}

bool contains(const OfxRectI &outer, const OfxRectI &inner) {
    const OfxRectI common = common_part(outer, inner);
    return width(common) == width(inner) && height(common) == height(inner);
}

// Of images with the same channels. Rows that follow each other in both go as one block: the C library's copy of
// megabytes does not read what it is about to overwrite.
void copy_rows(const ImageView &source, const ImageView &target, const OfxRectI &box) {
    const std::size_t row = floats_in_row(box, static_cast<std::size_t>(source.channels())) * sizeof(float);
    const std::ptrdiff_t step = source.row_bytes();
    if (step == target.row_bytes() && static_cast<std::size_t>(std::abs(step)) == row) {
        const int lowest = step > 0 ? box.y1 : box.y2 - 1;
        std::memcpy(target.pixel(box.x1, lowest), source.pixel(box.x1, lowest), row * static_cast<std::size_t>(height(box)));
        return;
    }
    for (int y = box.y1; y < box.y2; ++y) std::memcpy(target.pixel(box.x1, y), source.pixel(box.x1, y), row);
}

}  // namespace

OfxRectI common_part(const OfxRectI &a, const OfxRectI &b) {
    return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

ImageView::ImageView(void *data, const OfxRectI &bounds, std::ptrdiff_t row_bytes, int channels)
    : data_(static_cast<std::byte *>(data)), bounds_(bounds), row_bytes_(row_bytes), channels_(channels) {
    const auto least = static_cast<std::ptrdiff_t>(sizeof(float)) * channels * std::max(0, width(bounds));
    if (data == nullptr || is_empty(bounds)) throw std::invalid_argument("the host gave an image without pixels");
    if (height(bounds) > 1 && std::abs(row_bytes) < least) {
        throw std::invalid_argument("the host gave an image whose rows overlap");
    }
    if (row_bytes % static_cast<std::ptrdiff_t>(sizeof(float)) != 0) {
        throw std::invalid_argument("the host gave an image whose rows do not start on whole floats");
    }
}

float *ImageView::pixel(int x, int y) const {
    const auto row = static_cast<std::ptrdiff_t>(y - bounds_.y1) * row_bytes_;
    const auto column = static_cast<std::ptrdiff_t>(x - bounds_.x1) * channels_;
    return reinterpret_cast<float *>(data_ + row) + column;
}

void pack_colour(const ImageView &image, const OfxRectI &box, float *packed) {
    const OfxRectI there = common_part(image.bounds(), box);
    const bool is_whole = !is_empty(there) && width(there) == width(box) && height(there) == height(box);
    if (!is_whole) {
        std::fill_n(packed, floats_in_row(box, colour_channels) * static_cast<std::size_t>(height(box)), 0.0F);
    }
    if (is_empty(there)) return;
    const auto skip = static_cast<std::size_t>(there.x1 - box.x1) * colour_channels;
    for_packed_rows(box, colour_channels, [&](int y, std::size_t at) {
        if (y < there.y1 || y >= there.y2) return;
        const float *from = image.pixel(there.x1, y);
        float *to = packed + at + skip;
        for (int x = there.x1; x < there.x2; ++x, from += image.channels(), to += colour_channels) {
            std::memcpy(to, from, colour_channels * sizeof(float));
        }
    });
}

void pack_mask(const ImageView &image, const OfxRectI &box, float *packed) {
    const OfxRectI there = common_part(image.bounds(), box);
    std::fill_n(packed, floats_in_row(box, 1) * static_cast<std::size_t>(height(box)), 0.0F);
    if (is_empty(there)) return;
    const int channel = image.channels() == 4 ? 3 : 0;
    for_packed_rows(box, 1, [&](int y, std::size_t at) {
        if (y < there.y1 || y >= there.y2) return;
        float *to = packed + at + (there.x1 - box.x1);
        for (int x = there.x1; x < there.x2; ++x) *to++ = image.pixel(x, y)[channel];
    });
}

void unpack_colour(const float *packed, const OfxRectI &box, const ImageView &image, const OfxRectI &part) {
    const OfxRectI there = common_part(common_part(image.bounds(), box), part);
    if (is_empty(there)) return;
    const auto skip = static_cast<std::size_t>(there.x1 - box.x1) * colour_channels;
    for_packed_rows(box, colour_channels, [&](int y, std::size_t at) {
        if (y < there.y1 || y >= there.y2) return;
        const float *from = packed + at + skip;
        float *to = image.pixel(there.x1, y);
        for (int x = there.x1; x < there.x2; ++x, from += colour_channels, to += image.channels()) {
            std::memcpy(to, from, colour_channels * sizeof(float));
        }
    });
}

void lay_over(const float *packed, const OfxRectI &box, const ImageView &source, const ImageView &target,
              const OfxRectI &part) {
    const OfxRectI all = common_part(target.bounds(), part);
    const bool have_alpha = source.channels() == 4 && target.channels() == 4;
    if (!have_alpha || !contains(box, all) || !contains(source.bounds(), all)) {
        copy_part(source, target, part);
        unpack_colour(packed, box, target, part);
        return;
    }
    // Every pixel at once: a copy first would be one more passage of the frame through memory.
    const auto skip = static_cast<std::size_t>(all.x1 - box.x1) * colour_channels;
    for_packed_rows(box, colour_channels, [&](int y, std::size_t at) {
        if (y < all.y1 || y >= all.y2) return;
        const float *colour = packed + at + skip, *alpha = source.pixel(all.x1, y) + 3;
        float *to = target.pixel(all.x1, y);
        for (int x = all.x1; x < all.x2; ++x, colour += colour_channels, alpha += 4, to += 4) {
            std::memcpy(to, colour, colour_channels * sizeof(float));
            std::memcpy(to + 3, alpha, sizeof(float));
        }
    });
}

void copy_part(const ImageView &source, const ImageView &target, const OfxRectI &part) {
    const OfxRectI all = common_part(target.bounds(), part);
    const OfxRectI there = common_part(all, source.bounds());
    const bool is_whole = width(there) == width(all) && height(there) == height(all);
    if (!is_whole) fill_black(target, part);
    const auto channels = static_cast<std::size_t>(std::min(source.channels(), target.channels()));
    if (is_empty(there)) return;
    if (source.channels() == target.channels()) {
        copy_rows(source, target, there);
        return;
    }
    for (int y = there.y1; y < there.y2; ++y) {
        const float *from = source.pixel(there.x1, y);
        float *to = target.pixel(there.x1, y);
        for (int x = there.x1; x < there.x2; ++x, from += source.channels(), to += target.channels()) {
            std::memcpy(to, from, channels * sizeof(float));
            if (target.channels() == 4 && source.channels() == 3) to[3] = 1.0F;
        }
    }
}

void fill_black(const ImageView &target, const OfxRectI &part) {
    const OfxRectI all = common_part(target.bounds(), part);
    if (is_empty(all)) return;
    for (int y = all.y1; y < all.y2; ++y) {
        std::fill_n(target.pixel(all.x1, y), floats_in_row(all, static_cast<std::size_t>(target.channels())), 0.0F);
    }
}

}  // namespace filmrestore
