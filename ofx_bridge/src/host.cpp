#include "host.h"

#include <cmath>
#include <cstring>

namespace filmrestore {

namespace {

Suites fetched;

template <typename Suite>
const Suite *fetch(const char *name, int version) {
    return static_cast<const Suite *>(fetched.host->fetchSuite(fetched.host->host, name, version));
}

template <typename Suite>
const Suite *need(const char *name, int version) {
    if (const auto *suite = fetch<Suite>(name, version)) return suite;
    throw HostError(std::string("the host has no ") + name, ofx::missing_host_feature);
}

void expect(OfxStatus status, const char *name) {
    if (status == ofx::ok) return;
    throw HostError(std::string("the host refused ") + name + " with status " + std::to_string(status), ofx::failed);
}

int channels_of(const std::string &components) {
    if (components == ofx::rgba) return 4;
    if (components == ofx::rgb) return 3;
    if (components == ofx::alpha) return 1;
    throw HostError("the host gave an image of " + (components.empty() ? "no components" : components) +
                        ": RGBA, RGB or Alpha was asked for",
                    ofx::unsupported);
}

ImageView view_of(const Properties &image) {
    const auto depth = image.text(ofx::pixel_depth);
    if (depth != ofx::depth_float) {
        throw HostError("the host gave " + depth.value_or("an unknown depth") + ": float was asked for",
                        ofx::unsupported);
    }
    const auto bounds = image.box(ofx::bounds);
    const auto row_bytes = image.integer(ofx::row_bytes);
    if (!bounds || !row_bytes) throw HostError("the host gave an image without bounds or row bytes", ofx::failed);
    return {image.pointer(ofx::data), *bounds, *row_bytes, channels_of(image.text(ofx::components).value_or(""))};
}

}  // namespace

void set_host(const OfxHost *host) { fetched.host = host; }

void fetch_suites() {
    if (fetched.host == nullptr || fetched.host->fetchSuite == nullptr) {
        throw HostError("the host did not introduce itself", ofx::missing_host_feature);
    }
    fetched.property = need<OfxPropertySuiteV1>(ofx::property_suite, 1);
    fetched.effect = need<OfxImageEffectSuiteV1>(ofx::effect_suite, 1);
    fetched.parameter = need<OfxParameterSuiteV1>(ofx::parameter_suite, 1);
    fetched.message = fetch<OfxMessageSuiteV1>(ofx::message_suite, 1);
    fetched.persistent_message = fetch<OfxMessageSuiteV2>(ofx::message_suite, 2);
    fetched.progress = fetch<OfxProgressSuiteV1>(ofx::progress_suite, 1);
    fetched.labelled_progress = fetch<OfxProgressSuiteV2>(ofx::progress_suite, 2);
}

const Suites &suites() { return fetched; }

void Properties::set(const char *name, const char *value, int index) const {
    expect(fetched.property->propSetString(handle_, name, index, value), name);
}

void Properties::set(const char *name, double value, int index) const {
    expect(fetched.property->propSetDouble(handle_, name, index, value), name);
}

void Properties::set(const char *name, int value, int index) const {
    expect(fetched.property->propSetInt(handle_, name, index, value), name);
}

void Properties::set_pointer(const char *name, void *value) const {
    expect(fetched.property->propSetPointer(handle_, name, 0, value), name);
}

void Properties::set_doubles(const char *name, const double *values, int count) const {
    expect(fetched.property->propSetDoubleN(handle_, name, count, values), name);
}

bool Properties::offer(const char *name, const char *value, int index) const {
    return fetched.property->propSetString(handle_, name, index, value) == ofx::ok;
}

bool Properties::offer(const char *name, int value, int index) const {
    return fetched.property->propSetInt(handle_, name, index, value) == ofx::ok;
}

bool Properties::offer(const char *name, double value, int index) const {
    return fetched.property->propSetDouble(handle_, name, index, value) == ofx::ok;
}

std::optional<int> Properties::integer(const char *name, int index) const {
    int value = 0;
    if (fetched.property->propGetInt(handle_, name, index, &value) != ofx::ok) return std::nullopt;
    return value;
}

std::optional<double> Properties::number(const char *name, int index) const {
    double value = 0;
    if (fetched.property->propGetDouble(handle_, name, index, &value) != ofx::ok) return std::nullopt;
    return value;
}

std::optional<std::string> Properties::text(const char *name) const {
    char *value = nullptr;
    if (fetched.property->propGetString(handle_, name, 0, &value) != ofx::ok || value == nullptr) return std::nullopt;
    return std::string(value);
}

void *Properties::pointer(const char *name) const {
    void *value = nullptr;
    return fetched.property->propGetPointer(handle_, name, 0, &value) == ofx::ok ? value : nullptr;
}

std::optional<OfxRectI> Properties::box(const char *name) const {
    int corners[4] = {};
    if (fetched.property->propGetIntN(handle_, name, 4, corners) != ofx::ok) return std::nullopt;
    return OfxRectI{corners[0], corners[1], corners[2], corners[3]};
}

Image::Image(OfxPropertySetHandle handle) : handle_(handle) {
    try {
        view_.emplace(view_of(Properties(handle)));
    } catch (...) {
        static_cast<void>(fetched.effect->clipReleaseImage(handle));
        throw;
    }
}

Image::~Image() {
    // A host that cannot take its image back leaves us nothing to do about it.
    if (handle_ != nullptr) static_cast<void>(fetched.effect->clipReleaseImage(handle_));
}

std::string Image::identifier() const { return Properties(handle_).text(ofx::unique_identifier).value_or(""); }

Clip::Clip(OfxImageEffectHandle effect, const char *name) : properties_(nullptr) {
    OfxPropertySetHandle properties = nullptr;
    expect(fetched.effect->clipGetHandle(effect, name, &handle_, &properties), name);
    if (properties == nullptr) expect(fetched.effect->clipGetPropertySet(handle_, &properties), name);
    properties_ = Properties(properties);
}

bool Clip::is_connected() const { return properties_.integer(ofx::connected).value_or(0) != 0; }

std::optional<OfxRangeD> Clip::frame_range() const {
    const auto first = properties_.number(ofx::frame_range, 0), last = properties_.number(ofx::frame_range, 1);
    // Where nothing is known, hosts leave it out, or turn it round, or say what is no number.
    if (!first || !last || !std::isfinite(*first) || !std::isfinite(*last) || *last < *first) return std::nullopt;
    return OfxRangeD{*first, *last};
}

std::optional<OfxRectD> Clip::region_of_definition(OfxTime time) const {
    OfxRectD region{};
    if (fetched.effect->clipGetRegionOfDefinition(handle_, time, &region) != ofx::ok) return std::nullopt;
    return region;
}

std::string Clip::colourspace() const { return properties_.text(ofx::colourspace).value_or(""); }

std::optional<Image> Clip::image(OfxTime time) const {
    OfxPropertySetHandle handle = nullptr;
    if (fetched.effect->clipGetImage(handle_, time, nullptr, &handle) != ofx::ok || handle == nullptr) {
        return std::nullopt;
    }
    return Image(handle);
}

bool gives_neighbours() {
    return Properties(fetched.host->host).integer(ofx::temporal_access).value_or(1) != 0;
}

std::string host_name() { return Properties(fetched.host->host).text(ofx::name).value_or("unknown"); }

}  // namespace filmrestore
