#include "effect.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <set>

#include "parameters_generated.h"
#include "platform.h"
#include "repeats.h"

namespace filmrestore {

namespace {

void expect(OfxStatus status, const std::string &what) {
    if (status != ofx::ok) throw HostError("the host refused " + what + " with status " + std::to_string(status), status);
}

// Numbers for instances, the lowest that is free: a host that makes an instance for every frame then finds the frames
// that the engine still holds.
class Numbers {
  public:
    std::size_t take() {
        const std::lock_guard lock(mutex_);
        std::size_t number = 0;
        while (taken_.count(number) > 0) ++number;
        taken_.insert(number);
        return number;
    }
    void give_back(std::size_t number) {
        const std::lock_guard lock(mutex_);
        taken_.erase(number);
    }

  private:
    std::mutex mutex_;
    std::set<std::size_t> taken_;
};

Numbers &numbers() {
    static Numbers *const all = new Numbers;
    return *all;
}

const Parameter *find(const Parameters &parameters, const char *name) {
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [name](const Parameter &one) { return std::strcmp(one.name, name) == 0; });
    return found == parameters.end() ? nullptr : found;
}

// Of the plate whose grain is taken: the same few for every frame.
constexpr int reference_frames = 3;

OfxTime time_of(const Properties &arguments) {
    const auto time = arguments.number(ofx::time);
    if (!time || !std::isfinite(*time)) throw HostError("the host asked for no time", ofx::failed);
    return *time;
}

}  // namespace

Effect::Effect(const Node &node, OfxImageEffectHandle handle)
    : node_(node),
      handle_(handle),
      number_(numbers().take()),
      clip_name_(node.verb + std::string("-") + std::to_string(number_)),
      source_(handle, ofx::source_clip),
      output_(handle, ofx::output_clip) {
    expect(suites().effect->getParamSet(handle, &parameters_), "the instance's parameters");
    if (node.has_masks) {
        protect_.emplace(handle, clip::protect);
        defects_.emplace(handle, clip::defects);
    }
    if (node.has_reference) reference_.emplace(handle, clip::reference);
}

Effect::~Effect() { numbers().give_back(number_); }

Effect &Effect::of(OfxImageEffectHandle handle) {
    OfxPropertySetHandle properties = nullptr;
    expect(suites().effect->getPropertySet(handle, &properties), "the instance's properties");
    void *effect = Properties(properties).pointer(ofx::instance_data);
    if (effect == nullptr) throw HostError("the host named an instance that was not made", ofx::bad_handle);
    return *static_cast<Effect *>(effect);
}

OfxParamHandle Effect::parameter(const char *name) const {
    OfxParamHandle handle = nullptr;
    expect(suites().parameter->paramGetHandle(parameters_, name, &handle, nullptr), std::string("parameter ") + name);
    return handle;
}

double Effect::number(const char *name, OfxTime time) const {
    double value = 0;
    expect(suites().parameter->paramGetValueAtTime(parameter(name), time, &value), std::string("the value of ") + name);
    return value;
}

int Effect::whole(const char *name, OfxTime time) const {
    int value = 0;
    expect(suites().parameter->paramGetValueAtTime(parameter(name), time, &value), std::string("the value of ") + name);
    return value;
}

std::string Effect::text(const char *name, OfxTime time) const {
    char *value = nullptr;
    expect(suites().parameter->paramGetValueAtTime(parameter(name), time, &value), std::string("the value of ") + name);
    return value == nullptr ? "" : value;
}

std::string Effect::word(const Parameter &choice, OfxTime time) const {
    const int index = whole(choice.name, time);
    if (index < 0 || static_cast<std::size_t>(index) >= choice.choice_count) {
        throw HostError(std::string(choice.label) + " is choice " + std::to_string(index) + " of " +
                            std::to_string(choice.choice_count),
                        ofx::failed);
    }
    return choice.choices[index];
}

Json::Object Effect::settings(OfxTime time, double scale) const {
    Json::Object values;
    for (const Parameter &setting : node_.settings) {
        Json &value = values[setting.name];
        switch (setting.kind) {
            case Kind::number: {
                const bool is_length = node_.scales_lengths && std::strcmp(setting.unit, "px") == 0;
                value = number(setting.name, time) * (is_length ? scale : 1.0);
                break;
            }
            case Kind::integer: value = whole(setting.name, time); break;
            case Kind::toggle: value = whole(setting.name, time) != 0; break;
            case Kind::choice: value = word(setting, time); break;
            case Kind::text: value = text(setting.name, time); break;
        }
    }
    return values;
}

void Effect::set(const Parameter &setting, double value) const {
    const OfxParamHandle handle = parameter(setting.name);
    const OfxStatus status = setting.kind == Kind::number
                                 ? suites().parameter->paramSetValue(handle, value)
                                 : suites().parameter->paramSetValue(handle, static_cast<int>(value));
    expect(status, std::string("a value for ") + setting.name);
}

int Effect::frame_at(OfxTime time) const {
    constexpr double furthest = 1e9;
    if (std::abs(time) > furthest) throw HostError("the host asked for a time that is no frame", ofx::failed);
    return static_cast<int>(std::floor(time + 0.5)) + whole(parameter::frame_offset, time);
}

std::pair<int, int> Effect::window_of(int frame, OfxTime time) const {
    if (!node_.has_windows) return {frame - 1, frame + 1};
    if (whole("temporal_radius", time) == 0) return {frame, frame};
    const std::string name = word(*find(node_.settings, "method"), time);
    for (const Method &method : generated::methods) {
        if (name != method.name) continue;
        return Repeats::of(text(parameter::analysis, time)).window_of(frame, method.window, method.keep);
    }
    return {frame, frame};
}

std::pair<OfxTime, OfxTime> Effect::reference_times(OfxTime time) const {
    const auto range = reference_ ? reference_->frame_range() : std::nullopt;
    if (!range) return {time, time};
    return {range->min, std::min(range->max, range->min + reference_frames - 1)};
}

bool Effect::passes_through(OfxTime time) const {
    const auto is = [this, time](const char *name, const char *wanted) {
        const Parameter *choice = find(node_.settings, name);
        return choice != nullptr && word(*choice, time) == wanted;
    };
    if (is("mode", "keep")) return true;
    if (!node_.has_windows) return false;
    return number("mix", time) == 0.0 || (number("strength", time) == 0.0 && is("output", "result"));
}

void Effect::say(const char *type, const std::string &text) {
    if (text == said_) return;
    said_ = text;
    if (const OfxMessageSuiteV2 *suite = suites().persistent_message) {
        // A host that does not show the message leaves the status of the action to tell.
        static_cast<void>(text.empty() ? suite->clearPersistentMessage(handle_)
                                       : suite->setPersistentMessage(handle_, type, "filmrestore", "%s", text.c_str()));
    } else if (suites().message != nullptr && !text.empty()) {
        static_cast<void>(suites().message->message(handle_, type, "filmrestore", "%s", text.c_str()));
    }
}

OfxStatus frames_needed(Effect &effect, const Properties &in, const Properties &out) {
    const OfxTime time = time_of(in);
    const int frame = effect.frame_at(time);
    const auto [first, last] = effect.window_of(frame, time);
    const double range[] = {time + (first - frame), time + (last - frame)};
    out.set_doubles((ofx::clip_frame_range + std::string(ofx::source_clip)).c_str(), range, 2);
    if (effect.defects() != nullptr) {
        out.set_doubles((ofx::clip_frame_range + std::string(clip::defects)).c_str(), range, 2);
    }
    if (effect.reference() != nullptr) {
        const auto [from, to] = effect.reference_times(time);
        const double times[] = {from, to};
        out.set_doubles((ofx::clip_frame_range + std::string(clip::reference)).c_str(), times, 2);
    }
    return ofx::ok;
}

OfxStatus region_of_definition(Effect &effect, const Properties &in, const Properties &out) {
    const auto region = effect.source().region_of_definition(time_of(in));
    if (!region) return ofx::reply_default;
    out.set_doubles(ofx::region_of_definition, &region->x1, 4);
    return ofx::ok;
}

OfxStatus regions_of_interest(Effect &effect, const Properties &in, const Properties &out) {
    // Of every clip all that the source has: the engine works on whole frames.
    const auto region = effect.source().region_of_definition(time_of(in));
    if (!region) return ofx::reply_default;
    const auto want = [&](const char *name) {
        out.set_doubles((ofx::clip_region_of_interest + std::string(name)).c_str(), &region->x1, 4);
    };
    want(ofx::source_clip);
    if (effect.protect() != nullptr) want(clip::protect);
    if (effect.defects() != nullptr) want(clip::defects);
    const Clip *reference = effect.reference();
    const auto other = reference != nullptr ? reference->region_of_definition(time_of(in)) : std::nullopt;
    if (other) out.set_doubles((ofx::clip_region_of_interest + std::string(clip::reference)).c_str(), &other->x1, 4);
    return ofx::ok;
}

OfxStatus clip_preferences(Effect &effect, const Properties &out) {
    // Damage and grain move over a still picture.
    if (effect.node().has_windows || !out.offer(ofx::frame_varying, 1)) return ofx::reply_default;
    return ofx::ok;
}

OfxStatus is_identity(Effect &effect, const Properties &in, const Properties &out) {
    const OfxTime time = time_of(in);
    if (!effect.passes_through(time)) return ofx::reply_default;
    out.set(ofx::name, ofx::source_clip);
    out.set(ofx::time, time);
    return ofx::ok;
}

OfxStatus changed(Effect &effect, const Properties &in) {
    const bool is_preset = effect.node().has_presets && in.text(ofx::name) == parameter::preset;
    if (!is_preset || in.text(ofx::change_reason) != ofx::changed_by_user) return ofx::reply_default;
    const int index = effect.whole(parameter::preset, in.number(ofx::time).value_or(0));
    if (index < 0 || static_cast<std::size_t>(index) >= std::size(generated::degrade_presets)) return ofx::failed;
    const Preset &preset = generated::degrade_presets[index];
    for (const Parameter &setting : effect.node().settings) {
        double value = setting.initial;
        for (std::size_t i = 0; i < preset.count; ++i) {
            if (std::strcmp(preset.values[i].name, setting.name) == 0) value = preset.values[i].value;
        }
        effect.set(setting, value);
    }
    return ofx::ok;
}

}  // namespace filmrestore
