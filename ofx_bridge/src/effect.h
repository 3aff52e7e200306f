// One instance of a node in a host, and every action of it but the render.
#pragma once

#include <optional>
#include <string>

#include "host.h"
#include "json.h"
#include "node.h"

namespace filmrestore {

class Effect {
  public:
    Effect(const Node &node, OfxImageEffectHandle handle);
    ~Effect();
    Effect(const Effect &) = delete;
    Effect &operator=(const Effect &) = delete;
    // The instance that lives in a host's handle. Throws HostError where there is none.
    static Effect &of(OfxImageEffectHandle handle);

    const Node &node() const { return node_; }
    OfxImageEffectHandle handle() const { return handle_; }
    const std::string &clip_name() const { return clip_name_; }  // what the engine calls our frames
    const Clip &source() const { return source_; }
    const Clip &output() const { return output_; }
    const Clip *protect() const { return protect_ ? &*protect_ : nullptr; }
    const Clip *defects() const { return defects_ ? &*defects_ : nullptr; }
    const Clip *reference() const { return reference_ ? &*reference_ : nullptr; }

    double number(const char *parameter, OfxTime time) const;
    int whole(const char *parameter, OfxTime time) const;
    std::string text(const char *parameter, OfxTime time) const;
    // The word of a choice.
    std::string word(const Parameter &choice, OfxTime time) const;
    // The engine's settings by name; lengths in pixels are of the scan, `scale` makes them those of a proxy.
    Json::Object settings(OfxTime time, double scale) const;

    void set(const Parameter &parameter, double value) const;

    // Number of the scan's frame at a host's time.
    int frame_at(OfxTime time) const;
    // Frames of the scan that the engine wants to see for one of them: first, last.
    std::pair<int, int> window_of(int frame, OfxTime time) const;
    // First and last time of the reference plate's frames whose grain is taken.
    std::pair<OfxTime, OfxTime> reference_times(OfxTime time) const;
    bool passes_through(OfxTime time) const;

    // Shows a message unless it is being shown. No text takes it away.
    void say(const char *type, const std::string &text);

  private:
    OfxParamHandle parameter(const char *name) const;

    const Node &node_;
    OfxImageEffectHandle handle_;
    OfxParamSetHandle parameters_ = nullptr;
    std::size_t number_;
    std::string clip_name_;
    Clip source_, output_;
    std::optional<Clip> protect_, defects_, reference_;
    std::string said_;
};

// The actions; each answers a status.
OfxStatus frames_needed(Effect &effect, const Properties &in, const Properties &out);
OfxStatus region_of_definition(Effect &effect, const Properties &in, const Properties &out);
OfxStatus regions_of_interest(Effect &effect, const Properties &in, const Properties &out);
OfxStatus clip_preferences(Effect &effect, const Properties &out);
OfxStatus is_identity(Effect &effect, const Properties &in, const Properties &out);
OfxStatus changed(Effect &effect, const Properties &in);

}  // namespace filmrestore
