// The host's suites, and its handles with every status checked.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "image_view.h"
#include "ofx_abi.h"

namespace filmrestore {

// Something that the host should have done and did not; carries the status that the action answers.
class HostError : public std::runtime_error {
  public:
    HostError(const std::string &what, OfxStatus answer) : std::runtime_error(what), status(answer) {}
    OfxStatus status;
};

struct Suites {
    const OfxHost *host = nullptr;
    const OfxPropertySuiteV1 *property = nullptr;
    const OfxImageEffectSuiteV1 *effect = nullptr;
    const OfxParameterSuiteV1 *parameter = nullptr;
    const OfxMessageSuiteV1 *message = nullptr;              // may be missing
    const OfxMessageSuiteV2 *persistent_message = nullptr;   // may be missing
    const OfxProgressSuiteV1 *progress = nullptr;            // may be missing
    const OfxProgressSuiteV2 *labelled_progress = nullptr;   // may be missing
};

void set_host(const OfxHost *host);
// Fetches what the host has. Throws HostError where one that we cannot do without is missing.
void fetch_suites();
const Suites &suites();

// A property set.
class Properties {
  public:
    explicit Properties(OfxPropertySetHandle handle) : handle_(handle) {}

    OfxPropertySetHandle handle() const { return handle_; }
    // Must succeed, else HostError.
    void set(const char *name, const char *value, int index = 0) const;
    void set(const char *name, double value, int index = 0) const;
    void set(const char *name, int value, int index = 0) const;
    void set_pointer(const char *name, void *value) const;
    void set_doubles(const char *name, const double *values, int count) const;
    // For what older or smaller hosts do not know; says whether the host took it.
    bool offer(const char *name, const char *value, int index = 0) const;
    bool offer(const char *name, int value, int index = 0) const;
    bool offer(const char *name, double value, int index = 0) const;

    std::optional<int> integer(const char *name, int index = 0) const;
    std::optional<double> number(const char *name, int index = 0) const;
    std::optional<std::string> text(const char *name) const;
    void *pointer(const char *name) const;  // null where there is none
    std::optional<OfxRectI> box(const char *name) const;

  private:
    OfxPropertySetHandle handle_;
};

// An image fetched from a clip, given back when this goes.
class Image {
  public:
    explicit Image(OfxPropertySetHandle handle);
    ~Image();
    Image(Image &&other) noexcept : handle_(other.handle_), view_(other.view_) { other.handle_ = nullptr; }
    Image(const Image &) = delete;
    Image &operator=(const Image &) = delete;
    Image &operator=(Image &&) = delete;

    const ImageView &view() const { return *view_; }
    // The host's name for exactly these pixels, or nothing.
    std::string identifier() const;

  private:
    OfxPropertySetHandle handle_;
    std::optional<ImageView> view_;
};

class Clip {
  public:
    // Throws HostError where the host does not know the clip.
    Clip(OfxImageEffectHandle effect, const char *name);

    bool is_connected() const;
    // First and last frame, where the host says something that can be meant.
    std::optional<OfxRangeD> frame_range() const;
    std::optional<OfxRectD> region_of_definition(OfxTime time) const;
    std::string colourspace() const;  // as OpenFX 1.5 hosts say, else empty
    // Nothing where the host has no image at that time.
    std::optional<Image> image(OfxTime time) const;

  private:
    OfxImageClipHandle handle_ = nullptr;
    Properties properties_;
};

// Whether the host can give frames of other times.
bool gives_neighbours();
std::string host_name();

}  // namespace filmrestore
