#include "repeats.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <optional>

#include "json.h"
#include "platform.h"

namespace filmrestore {

namespace {

constexpr std::size_t longest_analysis = std::size_t{256} << 20;

int floor_divided(int number, int by) { return number >= 0 ? number / by : -((-number + by - 1) / by); }

std::vector<int> read(const std::string &text) {
    try {
        std::vector<int> frames;
        const Json analysis = Json::parse(text);
        for (const Json &frame : analysis["repeats"].array()) frames.push_back(static_cast<int>(frame.whole()));
        return frames;
    } catch (const JsonError &) {
        return {};
    }
}

// The last analysis that was read: a host asks at every frame.
struct Last {
    std::mutex mutex;
    std::string path;
    std::size_t size = 0, hash = 0;
    std::vector<int> frames;
};

Last &last() {
    static Last *const one = new Last;
    return *one;
}

}  // namespace

Repeats::Repeats(std::vector<int> frames) : frames_(std::move(frames)) {
    std::sort(frames_.begin(), frames_.end());
    ranks_.reserve(frames_.size());
    for (const int frame : frames_) ranks_.push_back(frame - static_cast<int>(ranks_.size()) - 1);
}

Repeats Repeats::of(const std::string &analysis) {
    const auto text = analysis.empty() ? std::nullopt : platform::whole_file(analysis, longest_analysis);
    if (!text) return Repeats({});
    const std::size_t hash = std::hash<std::string>()(*text);
    Last &known = last();
    const std::lock_guard lock(known.mutex);
    if (known.path != analysis || known.size != text->size() || known.hash != hash) {
        known.frames = read(*text);
        known.path = analysis;
        known.size = text->size();
        known.hash = hash;
    }
    return Repeats(known.frames);
}

std::pair<int, int> Repeats::window_of(int frame, int window, int keep) const {
    const int first = floor_divided(rank(frame), keep) * keep - (window - keep) / 2;
    return {first_of(first), first_of(first + window) - 1};
}

int Repeats::rank(int frame) const {
    return frame - static_cast<int>(std::upper_bound(frames_.begin(), frames_.end(), frame) - frames_.begin());
}

int Repeats::first_of(int rank) const {
    return rank + static_cast<int>(std::lower_bound(ranks_.begin(), ranks_.end(), rank) - ranks_.begin());
}

}  // namespace filmrestore
