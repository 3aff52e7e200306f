// Pixel addressing without a host, for the sanitizers: every layout that a host may give, against one pixel at a time.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "fingerprint.h"
#include "image_view.h"

using namespace filmrestore;

namespace {

void check(bool is_right, const char *what) {
    if (is_right) return;
    std::fprintf(stderr, "wrong: %s\n", what);
    std::exit(1);
}

// Memory of exactly the size of an image, so that the sanitizer sees the first byte beside it.
struct Memory {
    Memory(OfxRectI bounds_, int channels_, int padding, bool is_negative)
        : bounds(bounds_), channels(channels_) {
        const int stride = width(bounds) * channels + padding;
        floats.assign(static_cast<std::size_t>(stride * (height(bounds) - 1) + width(bounds) * channels), -1.0F);
        row_bytes = static_cast<std::ptrdiff_t>(stride) * 4 * (is_negative ? -1 : 1);
        start = floats.data() + (is_negative ? stride * (height(bounds) - 1) : 0);
    }
    ImageView view() { return {start, bounds, row_bytes, channels}; }

    OfxRectI bounds;
    int channels;
    std::vector<float> floats;
    std::ptrdiff_t row_bytes = 0;
    float *start = nullptr;
};

float value_at(int x, int y, int channel) { return static_cast<float>(1000 * x + 10 * y + channel); }

void fill(const ImageView &view) {
    const OfxRectI &b = view.bounds();
    for (int y = b.y1; y < b.y2; ++y) {
        for (int x = b.x1; x < b.x2; ++x) {
            for (int c = 0; c < view.channels(); ++c) view.pixel(x, y)[c] = value_at(x, y, c);
        }
    }
}

bool holds(const OfxRectI &box, int x, int y) { return x >= box.x1 && x < box.x2 && y >= box.y1 && y < box.y2; }

void packs_and_unpacks(const OfxRectI &bounds, const OfxRectI &box, int channels, int padding, bool is_negative) {
    Memory memory(bounds, channels, padding, is_negative);
    fill(memory.view());
    const auto pixels = static_cast<std::size_t>(width(box) * height(box));
    std::vector<float> colour(pixels * 3, -5.0F), mask(pixels, -5.0F);
    if (channels >= 3) pack_colour(memory.view(), box, colour.data());
    pack_mask(memory.view(), box, mask.data());
    std::size_t at = 0;
    for (int y = box.y2 - 1; y >= box.y1; --y) {
        for (int x = box.x1; x < box.x2; ++x, ++at) {
            const bool is_there = holds(bounds, x, y);
            for (int c = 0; c < 3 && channels >= 3; ++c) {
                check(colour[at * 3 + static_cast<std::size_t>(c)] == (is_there ? value_at(x, y, c) : 0.0F), "colour");
            }
            check(mask[at] == (is_there ? value_at(x, y, channels == 4 ? 3 : 0) : 0.0F), "mask");
        }
    }
    if (channels < 3) return;
    Memory target(bounds, channels, padding + 1, !is_negative);
    const OfxRectI part{box.x1 + 1, box.y1, box.x2, box.y2 - 1};
    unpack_colour(colour.data(), box, target.view(), part);
    for (int y = bounds.y1; y < bounds.y2; ++y) {
        for (int x = bounds.x1; x < bounds.x2; ++x) {
            const float wanted = holds(box, x, y) && holds(part, x, y) ? value_at(x, y, 1) : -1.0F;
            check(target.view().pixel(x, y)[1] == wanted, "unpacked colour");
            if (channels == 4) check(target.view().pixel(x, y)[3] == -1.0F, "alpha that nobody wrote");
        }
    }
}

float laid_value(int x, int y, int channel) { return -value_at(x, y, channel) - 7.0F; }

// The source under colour of `box`, whatever of it lies where.
void lays_over(const OfxRectI &from, const OfxRectI &box, int channels, const OfxRectI &part, bool is_negative) {
    const OfxRectI to{0, 0, 7, 5};
    Memory source(from, channels, 1, is_negative), target(to, channels, 2, !is_negative);
    fill(source.view());
    std::vector<float> colour;
    for (int y = box.y2 - 1; y >= box.y1; --y) {
        for (int x = box.x1; x < box.x2; ++x) {
            for (int c = 0; c < 3; ++c) colour.push_back(laid_value(x, y, c));
        }
    }
    lay_over(colour.data(), box, source.view(), target.view(), part);
    for (int y = to.y1; y < to.y2; ++y) {
        for (int x = to.x1; x < to.x2; ++x) {
            for (int c = 0; c < channels; ++c) {
                const float below = holds(from, x, y) ? value_at(x, y, c) : 0.0F;
                const float wanted = holds(box, x, y) && c < 3 ? laid_value(x, y, c) : below;
                check(target.view().pixel(x, y)[c] == (holds(part, x, y) ? wanted : -1.0F), "laid over");
            }
        }
    }
}

void copies(const OfxRectI &from, int from_channels, const OfxRectI &to, int to_channels, const OfxRectI &part,
            int padding, bool is_negative) {
    Memory source(from, from_channels, padding, true), target(to, to_channels, padding, is_negative);
    fill(source.view());
    copy_part(source.view(), target.view(), part);
    for (int y = to.y1; y < to.y2; ++y) {
        for (int x = to.x1; x < to.x2; ++x) {
            for (int c = 0; c < to_channels; ++c) {
                const bool is_opaque = c == 3 && from_channels == 3;
                const float there = is_opaque ? 1.0F : value_at(x, y, c);
                const float wanted = !holds(part, x, y) ? -1.0F : holds(from, x, y) ? there : 0.0F;
                check(target.view().pixel(x, y)[c] == wanted, "copy");
            }
        }
    }
}

void tells_frames_apart() {
    const OfxRectI box{-3, 2, 30, 19};
    Memory one(box, 4, 0, false), other(box, 4, 7, true);
    fill(one.view());
    fill(other.view());
    const std::string name = fingerprint(one.view(), box, "scene_linear");
    check(name.size() == 32 && name == fingerprint(other.view(), box, "scene_linear"), "a name that hangs on the layout");
    check(name != fingerprint(one.view(), box, "raw"), "a name without what else it stands for");
    check(name != fingerprint(one.view(), {-3, 2, 31, 19}, "scene_linear"), "a name without the place");
    for (int y = box.y1; y < box.y2; ++y) {
        for (int x = box.x1; x < box.x2; ++x) {
            float &value = other.view().pixel(x, y)[x & 3];
            const float before = value;
            value += 0.25F;
            check(name != fingerprint(other.view(), box, "scene_linear"), "a name that misses a pixel");
            value = before;
        }
    }
    float &value = one.view().pixel(0, 5)[0];
    value = 0.0F;
    const std::string plus = fingerprint(one.view(), box, "");
    value = -0.0F;
    check(plus != fingerprint(one.view(), box, ""), "a name that misses the sign of zero");
}

void refuses_what_is_no_image() {
    float pixels[16] = {};
    const auto is_refused = [](void *data, OfxRectI bounds, std::ptrdiff_t row_bytes) {
        try {
            ImageView(data, bounds, row_bytes, 4);
        } catch (const std::invalid_argument &) {
            return true;
        }
        return false;
    };
    check(is_refused(nullptr, {0, 0, 2, 2}, 32), "no pixels");
    check(is_refused(pixels, {0, 0, 0, 2}, 32), "no width");
    check(is_refused(pixels, {0, 0, 2, 2}, 16), "rows that overlap");
    check(is_refused(pixels, {0, 0, 2, 2}, -16), "rows that overlap downwards");
    check(is_refused(pixels, {0, 0, 2, 2}, 33), "rows between floats");
    check(!is_refused(pixels, {0, 0, 2, 2}, -32), "rows downwards");
}

}  // namespace

int main() {
    for (const int channels : {1, 3, 4}) {
        for (const int padding : {0, 5}) {
            for (const bool is_negative : {false, true}) {
                for (const OfxRectI &bounds : {OfxRectI{0, 0, 7, 5}, OfxRectI{-4, 3, 2, 9}}) {
                    packs_and_unpacks(bounds, bounds, channels, padding, is_negative);
                    packs_and_unpacks(bounds, {-6, 1, 8, 7}, channels, padding, is_negative);
                    packs_and_unpacks(bounds, {100, 100, 103, 102}, channels, padding, is_negative);
                }
            }
        }
    }
    for (const int from : {3, 4}) {
        for (const int to : {3, 4}) {
            for (const int padding : {0, 3}) {
                for (const bool is_negative : {false, true}) {
                    copies({0, 0, 7, 5}, from, {0, 0, 7, 5}, to, {0, 0, 7, 5}, padding, is_negative);
                    copies({0, -1, 7, 9}, from, {0, 0, 7, 5}, to, {0, 1, 7, 4}, padding, is_negative);
                    copies({-2, 1, 5, 4}, from, {0, 0, 7, 5}, to, {1, 1, 6, 9}, padding, is_negative);
                    copies({50, 50, 57, 55}, from, {0, 0, 7, 5}, to, {0, 0, 7, 5}, padding, is_negative);
                }
            }
        }
    }
    for (const int channels : {3, 4}) {
        for (const bool is_negative : {false, true}) {
            lays_over({0, 0, 7, 5}, {0, 0, 7, 5}, channels, {0, 0, 7, 5}, is_negative);
            lays_over({-2, -1, 9, 8}, {-2, -1, 9, 8}, channels, {1, 1, 6, 4}, is_negative);
            lays_over({0, 0, 7, 5}, {2, 1, 5, 3}, channels, {0, 0, 7, 5}, is_negative);
            lays_over({0, 0, 4, 5}, {0, 0, 4, 5}, channels, {0, 0, 7, 5}, is_negative);
        }
    }
    tells_frames_apart();
    refuses_what_is_no_image();
    std::puts("all pixels are where they belong");
}
