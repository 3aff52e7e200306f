// What describes one setting of a node to a host.
#pragma once

#include <cstddef>
#include <iterator>

namespace filmrestore {

enum class Kind { number, integer, toggle, choice, text };

struct Parameter {
    const char *name;
    const char *label;
    const char *help;
    const char *group;
    const char *unit;
    Kind kind;
    double initial;  // of a choice, its place among the choices
    double low, high, soft_low, soft_high;
    const char *initial_text;
    const char *const *choices;
    std::size_t choice_count;
};

struct PresetValue {
    const char *name;
    double value;
};

struct Preset {
    const char *name;
    const PresetValue *values;  // those that differ from the defaults
    std::size_t count;
};

// A restorer: frames that it sees at once, and those in the middle that it restores.
struct Method {
    const char *name;
    int window, keep;
};

}  // namespace filmrestore
