#include "node.h"

#include "parameters_generated.h"

namespace filmrestore {

namespace {

constexpr const char *failure_choices[] = {"stop", "source"};

constexpr Parameter own[] = {
    {parameter::colourspace, "Colourspace",
     "Colourspace of the pixels that the host hands over, by its name or role in the OCIO config; host takes what the "
     "host says of the clip.",
     "Host", "", Kind::text, 0, 0, 0, 0, 0, "scene_linear", nullptr, 0},
    {parameter::config, "OCIO config", "Config file; empty takes the one in the OCIO variable, else the built-in one.",
     "Host", "", Kind::text, 0, 0, 0, 0, 0, "", nullptr, 0},
    {parameter::frame_offset, "Frame offset",
     "Added to the host's time to get the frame number of the scan, so that a trimmed clip gives the same pixels.",
     "Host", "frames", Kind::integer, 0, -10000000, 10000000, -1000, 1000, "", nullptr, 0},
    {parameter::on_failure, "On failure",
     "What a frame that cannot be made does: stop the render, or let the source through under a message.", "Host", "",
     Kind::choice, 0, 0, 0, 0, 0, "", failure_choices, std::size(failure_choices)},
};

constexpr Parameter of_windows[] = {
    {parameter::analysis, "Analysis",
     "The reel's analysis file, made by filmrestore probe: its cuts, and its grain for generated pixels.", "Host", "",
     Kind::text, 0, 0, 0, 0, 0, "", nullptr, 0},
    {parameter::defect_alpha, "Alpha is the defect map",
     "Takes the source's alpha, as infrared scans have it, where no defect map is connected.", "Matte", "",
     Kind::toggle, 0, 0, 0, 0, 0, "", nullptr, 0},
};

}  // namespace

const Parameters host_parameters{own, std::size(own)};
const Parameters window_parameters{of_windows, std::size(of_windows)};

const Node nodes[node_count] = {
    {"org.filmrestore.FilmRestore", "FilmRestore",
     "Removes dust, dirt, hair and scratches from scanned film; untouched pixels stay as they are, bit for bit.",
     "restore", {generated::restore, std::size(generated::restore)}, true, true, false, false, true},
    {"org.filmrestore.FilmDegrade", "FilmDegrade", "Damages a clean picture as time and projectors do.", "degrade",
     {generated::degrade, std::size(generated::degrade)}, false, false, false, true, false},
    {"org.filmrestore.FilmGrain", "FilmGrain", "Adds, matches or reduces grain.", "grain",
     {generated::grain, std::size(generated::grain)}, false, false, true, false, false},
};

}  // namespace filmrestore
