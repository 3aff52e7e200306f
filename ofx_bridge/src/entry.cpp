// The three functions that a host calls, and the way from its actions to ours. No exception leaves this file.
#include <atomic>
#include <cstring>
#include <exception>
#include <new>

#include "describe.h"
#include "effect.h"
#include "engine.h"
#include "frame_request.h"
#include "render.h"

namespace filmrestore {

namespace {

OfxStatus create(const Node &node, OfxImageEffectHandle handle) {
    auto effect = std::make_unique<Effect>(node, handle);
    OfxPropertySetHandle properties = nullptr;
    if (suites().effect->getPropertySet(handle, &properties) != ofx::ok) return ofx::failed;
    Properties(properties).set_pointer(ofx::instance_data, effect.get());
    effect.release();  // the host owns it now, through its handle
    return ofx::ok;
}

OfxStatus destroy(OfxImageEffectHandle handle) {
    const std::unique_ptr<Effect> effect(&Effect::of(handle));
    OfxPropertySetHandle properties = nullptr;
    if (suites().effect->getPropertySet(handle, &properties) != ofx::ok) return ofx::failed;
    Properties(properties).set_pointer(ofx::instance_data, nullptr);
    return ofx::ok;
}

// Nodes of this file that the host has loaded; they share the engine.
std::atomic<int> loaded{0};

OfxStatus unload() {
    if (loaded.fetch_sub(1) > 1) return ofx::ok;
    drop_unsettled();
    Engine::of_this_process().stop();
    return ofx::ok;
}

OfxStatus of_instance(const char *action, OfxImageEffectHandle handle, const Properties &in, const Properties &out) {
    const auto is = [action](const char *name) { return std::strcmp(action, name) == 0; };
    if (is(ofx::action_render)) return render(Effect::of(handle), in);
    if (is(ofx::action_frames_needed)) return frames_needed(Effect::of(handle), in, out);
    if (is(ofx::action_region_of_definition)) return region_of_definition(Effect::of(handle), in, out);
    if (is(ofx::action_regions_of_interest)) return regions_of_interest(Effect::of(handle), in, out);
    if (is(ofx::action_clip_preferences)) return clip_preferences(Effect::of(handle), out);
    if (is(ofx::action_is_identity)) return is_identity(Effect::of(handle), in, out);
    if (is(ofx::action_changed)) return changed(Effect::of(handle), in);
    if (is(ofx::action_destroy)) return destroy(handle);
    if (is(ofx::action_begin_sequence)) {
        Engine::of_this_process().begin();
        return ofx::ok;
    }
    return ofx::reply_default;
}

OfxStatus act(const Node &node, const char *action, OfxImageEffectHandle handle, const Properties &in,
              const Properties &out) {
    const auto is = [action](const char *name) { return std::strcmp(action, name) == 0; };
    if (is(ofx::action_load)) {
        fetch_suites();
        ++loaded;
        return ofx::ok;
    }
    if (is(ofx::action_unload)) return unload();
    if (is(ofx::action_describe)) {
        fetch_suites();  // some hosts describe without a load
        describe(node, handle);
        return ofx::ok;
    }
    if (is(ofx::action_describe_in_context)) {
        describe_in_context(node, handle);
        return ofx::ok;
    }
    if (is(ofx::action_create)) return create(node, handle);
    return of_instance(action, handle, in, out);
}

OfxStatus guarded(const Node &node, const char *action, const void *handle, OfxPropertySetHandle in,
                  OfxPropertySetHandle out) noexcept {
    try {
        if (action == nullptr) return ofx::failed;
        const auto effect = static_cast<OfxImageEffectHandle>(const_cast<void *>(handle));
        return act(node, action, effect, Properties(in), Properties(out));
    } catch (const HostError &error) {
        return error.status;
    } catch (const std::bad_alloc &) {
        return ofx::out_of_memory;
    } catch (...) {
        return ofx::failed;
    }
}

template <std::size_t index>
OfxStatus entry(const char *action, const void *handle, OfxPropertySetHandle in, OfxPropertySetHandle out) {
    return guarded(nodes[index], action, handle, in, out);
}

void take_host(OfxHost *host) { set_host(host); }

template <std::size_t index>
OfxPlugin *plugin() {
    static OfxPlugin facts{ofx::plugin_api,      1,         nodes[index].identifier, plugin_version_major,
                           plugin_version_minor, take_host, entry<index>};
    return &facts;
}

}  // namespace

}  // namespace filmrestore

FILMRESTORE_EXPORT int OfxGetNumberOfPlugins() { return static_cast<int>(filmrestore::node_count); }

FILMRESTORE_EXPORT OfxPlugin *OfxGetPlugin(int index) {
    using namespace filmrestore;
    switch (index) {
        case 0: return plugin<0>();
        case 1: return plugin<1>();
        case 2: return plugin<2>();
        default: return nullptr;
    }
}

// OpenFX 1.4 and newer, before anything else; older hosts introduce themselves to each plug-in.
FILMRESTORE_EXPORT OfxStatus OfxSetHost(const OfxHost *host) {
    filmrestore::set_host(host);
    return filmrestore::ofx::ok;
}
