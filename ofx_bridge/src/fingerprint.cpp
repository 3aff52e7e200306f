#include "fingerprint.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace filmrestore {

namespace {

constexpr std::size_t lanes = 8;
constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio

constexpr std::uint64_t stirred(std::uint64_t x) {
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93;
    x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93;
    return x ^ (x >> 32);
}

// Independent lanes keep the multipliers busy: the sum then costs about one reading of memory.
class Sum {
  public:
    using Lanes = std::array<std::uint64_t, lanes>;

    void add(const void *data, std::size_t bytes) {
        const auto *at = static_cast<const unsigned char *>(data);
        Lanes state = state_;  // the compiler keeps it in registers: bytes could be anything's, the members' too
        for (; bytes >= lanes * 8; at += lanes * 8, bytes -= lanes * 8) {
            mix_all(state, at, std::make_index_sequence<lanes>());
        }
        for (std::size_t i = 0; bytes > 0; ++i) {
            std::uint64_t word = 0;
            const std::size_t part = bytes < 8 ? bytes : 8;
            std::memcpy(&word, at, part);
            mix(state[i], word);
            at += part;
            bytes -= part;
        }
        state_ = state;
    }

    std::string text() const {
        std::uint64_t high = odd, low = ~odd;
        for (const std::uint64_t lane : state_) {
            high = stirred(high ^ lane) + lane;
            low = stirred(low + lane) * odd;
        }
        std::string out;
        for (std::uint64_t part : {high, low}) {
            for (int i = 0; i < 16; ++i, part >>= 4) out.push_back("0123456789abcdef"[part & 0xF]);
        }
        return out;
    }

  private:
    // Written out lane by lane: a loop over them would keep the states in memory.
    template <std::size_t... lane>
    static void mix_all(Lanes &state, const unsigned char *at, std::index_sequence<lane...>) {
        Lanes words;
        std::memcpy(words.data(), at, sizeof words);
        (mix(std::get<lane>(state), std::get<lane>(words)), ...);
    }

    // A bijection of the word for a given state, and of the state for a given word: no difference gets lost.
    static void mix(std::uint64_t &state, std::uint64_t word) {
        state = (state ^ word) * odd;
        state ^= state >> 29;
    }

    Lanes state_{1, 2, 3, 4, 5, 6, 7, 8};
};

void add_place(Sum &sum, const ImageView &image, const OfxRectI &box, const std::string &also) {
    sum.add(also.data(), also.size());
    const OfxRectI there = common_part(image.bounds(), box);
    const int place[] = {width(box), height(box), there.x1 - box.x1, there.y1 - box.y1, there.x2 - box.x1,
                         there.y2 - box.y1, image.channels()};
    sum.add(place, sizeof place);
}

}  // namespace

std::string placed(const ImageView &image, const OfxRectI &box, const std::string &also) {
    Sum sum;
    add_place(sum, image, box, also);
    return sum.text();
}

std::string fingerprint(const ImageView &image, const OfxRectI &box, const std::string &also) {
    Sum sum;
    add_place(sum, image, box, also);
    const OfxRectI there = common_part(image.bounds(), box);
    if (is_empty(there)) return sum.text();
    const auto row_bytes = static_cast<std::size_t>(width(there)) * static_cast<std::size_t>(image.channels()) * sizeof(float);
    for (int y = there.y1; y < there.y2; ++y) sum.add(image.pixel(there.x1, y), row_bytes);
    return sum.text();
}

}  // namespace filmrestore
