// The three nodes: what each is called, and which settings and clips it has.
#pragma once

#include <cstddef>

#include "parameter.h"

namespace filmrestore {

constexpr unsigned plugin_version_major = 1;  // a new one where old scripts would not load
constexpr unsigned plugin_version_minor = 0;

struct Parameters {
    const Parameter *first;
    std::size_t count;

    const Parameter *begin() const { return first; }
    const Parameter *end() const { return first + count; }
};

struct Node {
    const char *identifier;
    const char *label;
    const char *description;
    const char *verb;      // what the engine calls it
    Parameters settings;   // the engine's
    bool has_windows;      // works on the windows of a method, anchored to frame numbers
    bool has_masks;        // clips that protect, and that show defects
    bool has_reference;    // a clip whose grain is taken
    bool has_presets;
    bool scales_lengths;   // settings in pixels are of the full resolution
};

constexpr std::size_t node_count = 3;
extern const Node nodes[node_count];

// Parameters of this adapter: on every node, and on those with windows.
extern const Parameters host_parameters;
extern const Parameters window_parameters;

namespace clip {
constexpr char protect[] = "Protect";
constexpr char defects[] = "Defects";
constexpr char reference[] = "Reference";
}  // namespace clip

namespace parameter {
constexpr char colourspace[] = "colourspace";
constexpr char config[] = "ocio_config";
constexpr char analysis[] = "analysis";
constexpr char defect_alpha[] = "defect_alpha";
constexpr char frame_offset[] = "frame_offset";
constexpr char on_failure[] = "on_failure";
constexpr char preset[] = "preset";
}  // namespace parameter

}  // namespace filmrestore
