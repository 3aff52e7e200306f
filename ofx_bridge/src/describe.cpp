#include "describe.h"

#include <set>
#include <string>

#include "parameters_generated.h"

namespace filmrestore {

namespace {

void expect(OfxStatus status, const std::string &what) {
    if (status != ofx::ok) throw HostError("the host refused " + what + " with status " + std::to_string(status), status);
}

Properties define_clip(OfxImageEffectHandle effect, const char *name, const char *label) {
    OfxPropertySetHandle handle = nullptr;
    expect(suites().effect->clipDefine(effect, name, &handle), std::string("clip ") + name);
    const Properties clip(handle);
    clip.offer(ofx::label, label);
    clip.offer(ofx::supports_tiles, 0);
    return clip;
}

Properties define_picture_clip(OfxImageEffectHandle effect, const char *name, bool looks_around) {
    const Properties clip = define_clip(effect, name, name);
    clip.set(ofx::supported_components, ofx::rgba, 0);
    clip.set(ofx::supported_components, ofx::rgb, 1);
    clip.offer(ofx::temporal_access, looks_around ? 1 : 0);
    return clip;
}

void define_mask_clip(OfxImageEffectHandle effect, const char *name, const char *label, bool looks_around) {
    const Properties clip = define_clip(effect, name, label);
    clip.set(ofx::supported_components, ofx::alpha, 0);
    clip.set(ofx::supported_components, ofx::rgba, 1);
    clip.set(ofx::optional, 1);
    clip.offer(ofx::is_mask, 1);
    clip.offer(ofx::temporal_access, looks_around ? 1 : 0);
}

const char *type_of(Kind kind) {
    switch (kind) {
        case Kind::number: return ofx::param_double;
        case Kind::integer: return ofx::param_int;
        case Kind::toggle: return ofx::param_bool;
        case Kind::choice: return ofx::param_choice;
        case Kind::text: break;
    }
    return ofx::param_string;
}

void give_limits(const Properties &knob, const Parameter &setting) {
    const std::pair<const char *, double> limits[] = {
        {ofx::param_min, setting.low},
        {ofx::param_max, setting.high},
        {ofx::param_display_min, setting.soft_low},
        {ofx::param_display_max, setting.soft_high},
    };
    for (const auto &[name, value] : limits) {
        if (setting.kind == Kind::number) {
            knob.set(name, value);
        } else {
            knob.set(name, static_cast<int>(value));
        }
    }
}

void give_default(const Properties &knob, const Parameter &setting) {
    switch (setting.kind) {
        case Kind::number: knob.set(ofx::param_default, setting.initial); break;
        case Kind::text: knob.set(ofx::param_default, setting.initial_text); break;
        case Kind::integer:
        case Kind::toggle:
        case Kind::choice: knob.set(ofx::param_default, static_cast<int>(setting.initial)); break;
    }
}

// Defines parameters, each group when its first member comes, on one page in that order.
class Panel {
  public:
    explicit Panel(OfxParamSetHandle parameters) : parameters_(parameters) {}

    void add(const Parameter &setting) {
        open_group(setting.group);
        const Properties knob = define(type_of(setting.kind), setting.name);
        knob.offer(ofx::label, setting.label);
        const std::string unit = setting.unit;
        knob.offer(ofx::param_hint, (setting.help + (unit.empty() ? "" : " [" + unit + "]")).c_str());
        knob.offer(ofx::param_script_name, setting.name);
        knob.offer(ofx::param_parent, setting.group);
        for (std::size_t i = 0; i < setting.choice_count; ++i) {
            knob.set(ofx::param_option, setting.choices[i], static_cast<int>(i));
        }
        if (setting.kind == Kind::number || setting.kind == Kind::integer) give_limits(knob, setting);
        give_default(knob, setting);
        if (setting.kind == Kind::choice || setting.kind == Kind::text) knob.offer(ofx::param_animates, 0);
        order_.emplace_back(setting.name);
    }

    void finish() {
        OfxPropertySetHandle page = nullptr;
        if (suites().parameter->paramDefine(parameters_, ofx::param_page, "Main", &page) != ofx::ok) return;
        int index = 0;
        for (const auto &name : order_) Properties(page).offer(ofx::param_page_child, name.c_str(), index++);
    }

  private:
    Properties define(const char *type, const char *name) {
        OfxPropertySetHandle handle = nullptr;
        expect(suites().parameter->paramDefine(parameters_, type, name, &handle), std::string("parameter ") + name);
        return Properties(handle);
    }

    void open_group(const std::string &name) {
        if (!groups_.insert(name).second) return;
        // A host without groups still shows every parameter.
        OfxPropertySetHandle handle = nullptr;
        if (suites().parameter->paramDefine(parameters_, ofx::param_group, name.c_str(), &handle) != ofx::ok) return;
        Properties(handle).offer(ofx::label, name.c_str());
        Properties(handle).offer(ofx::param_group_open, groups_.size() <= 2 ? 1 : 0);
    }

    OfxParamSetHandle parameters_;
    std::set<std::string> groups_;
    std::vector<std::string> order_;
};

// Choosing one sets the others; the engine never sees it.
void add_presets(Panel &panel) {
    const char *names[std::size(generated::degrade_presets)];
    for (std::size_t i = 0; i < std::size(names); ++i) names[i] = generated::degrade_presets[i].name;
    panel.add({parameter::preset, "Preset", "Sets all of the settings below at once.", "Preset", "", Kind::choice, 0, 0,
               0, 0, 0, "", names, std::size(names)});
}

}  // namespace

void describe(const Node &node, OfxImageEffectHandle effect) {
    OfxPropertySetHandle handle = nullptr;
    expect(suites().effect->getPropertySet(effect, &handle), "the effect's properties");
    const Properties facts(handle);
    facts.set(ofx::label, node.label);
    facts.offer(ofx::version, static_cast<int>(plugin_version_major), 0);
    facts.offer(ofx::version, static_cast<int>(plugin_version_minor), 1);
    facts.offer(ofx::version_label, generated::version);
    facts.offer(ofx::description, node.description);
    facts.set(ofx::grouping, "FilmRestore");
    facts.set(ofx::supported_contexts, ofx::context_filter, 0);
    facts.set(ofx::supported_contexts, ofx::context_general, 1);
    facts.set(ofx::supported_depths, ofx::depth_float, 0);
    facts.set(ofx::single_instance, 0);
    facts.set(ofx::frame_threading, 0);
    facts.set(ofx::multi_resolution, 1);
    facts.set(ofx::supports_tiles, 0);
    facts.set(ofx::temporal_access, 1);
    facts.set(ofx::multiple_depths, 0);
    facts.offer(ofx::multiple_aspects, 0);
    facts.set(ofx::thread_safety, ofx::instance_safe);
    facts.offer(ofx::no_spatial_awareness, "false");
}

void describe_in_context(const Node &node, OfxImageEffectHandle effect) {
    define_picture_clip(effect, ofx::source_clip, true);
    define_picture_clip(effect, ofx::output_clip, false);
    if (node.has_masks) {
        define_mask_clip(effect, clip::protect, "Protect mask", false);
        define_mask_clip(effect, clip::defects, "Defect map", true);
    }
    if (node.has_reference) {
        define_picture_clip(effect, clip::reference, true).set(ofx::optional, 1);
    }
    OfxParamSetHandle parameters = nullptr;
    expect(suites().effect->getParamSet(effect, &parameters), "the effect's parameters");
    Panel panel(parameters);
    if (node.has_presets) add_presets(panel);
    for (const Parameter &setting : node.settings) panel.add(setting);
    if (node.has_windows) {
        for (const Parameter &setting : window_parameters) panel.add(setting);
    }
    for (const Parameter &setting : host_parameters) panel.add(setting);
    panel.finish();
}

}  // namespace filmrestore
