#include "render.h"

#include <cmath>

#include "engine.h"
#include "fingerprint.h"
#include "frame_request.h"

namespace filmrestore {

namespace {

constexpr char no_neighbours[] =
    "This host gives no neighbour frames: each frame is restored from itself alone, which misses marks and repairs "
    "others less well. Use the filmrestore command, or a host with temporal access.";

struct Moment {
    OfxTime time;
    OfxRectI window;
    double scale;
    bool is_thumbnail;
};

Moment moment_of(const Properties &in) {
    const auto time = in.number(ofx::time);
    const auto window = in.box(ofx::render_window);
    if (!time || !window) throw HostError("the host asked for a render without time or window", ofx::failed);
    const double scale = in.number(ofx::render_scale, 0).value_or(1.0);
    return {*time, *window, scale, in.text(ofx::thumbnail_render) == "true"};
}

// Progress in the host, shown only when the engine tells any.
class ProgressBar {
  public:
    explicit ProgressBar(const Effect &effect) : effect_(effect.handle()), label_(effect.node().label) {}
    ~ProgressBar() {
        if (!is_shown_) return;
        static_cast<void>(suites().progress != nullptr ? suites().progress->progressEnd(effect_)
                                                       : suites().labelled_progress->progressEnd(effect_));
    }
    ProgressBar(const ProgressBar &) = delete;
    ProgressBar &operator=(const ProgressBar &) = delete;

    void show(double share) {
        const auto *plain = suites().progress;
        const auto *labelled = suites().labelled_progress;
        if (plain == nullptr && labelled == nullptr) return;
        if (!is_shown_) {
            const OfxStatus status = plain != nullptr ? plain->progressStart(effect_, label_)
                                                      : labelled->progressStart(effect_, label_, "filmrestore");
            if (status != ofx::ok) return;
            is_shown_ = true;
        }
        const OfxStatus status =
            plain != nullptr ? plain->progressUpdate(effect_, share) : labelled->progressUpdate(effect_, share);
        is_refused_ = is_refused_ || status == ofx::reply_no;
    }
    bool is_refused() const { return is_refused_; }

  private:
    OfxImageEffectHandle effect_;
    const char *label_;
    bool is_shown_ = false;
    bool is_refused_ = false;
};

constexpr std::size_t longest_name = 1024;

// The images that one request offers, held until it ends, and what is told of them.
class Plates {
  public:
    Plates(const Effect &effect, const Moment &moment, const Image &source, std::string colourspace)
        : effect_(effect), moment_(moment), box_(source.view().bounds()), colourspace_(std::move(colourspace)),
          trusts_names_(platform::variable("FILMRESTORE_TRUST_IMAGE_NAMES") == "1"), frame_(effect.frame_at(moment.time)) {
        offer_source(source);
        if (effect.protect() != nullptr && effect.protect()->is_connected()) offer_protect();
        if (effect.reference() != nullptr && effect.reference()->is_connected()) offer_reference();
    }

    int frame() const { return frame_; }
    const OfxRectI &box() const { return box_; }
    // Whether the window has other frames, and the host gave none of them.
    bool is_alone() const { return withheld_ > 0 && neighbours_ == 0; }
    std::vector<Offer> take_offers() { return std::move(offers_); }

  private:
    void offer_source(const Image &now) {
        const auto [first, last] = effect_.window_of(frame_, moment_.time);
        const auto range = effect_.source().frame_range();
        for (int number = first; number <= last; ++number) {
            const OfxTime time = moment_.time + (number - frame_);
            if (number != frame_ && is_outside(range, time)) continue;
            const Image *image = number == frame_ ? &now : gives_neighbours() ? fetched(effect_.source(), time) : nullptr;
            if (image == nullptr) {
                ++withheld_;
                continue;
            }
            neighbours_ += number != frame_;
            offer_picture("source", number, *image, box_);
            offer_defects(number, time, *image);
        }
    }

    void offer_defects(int number, OfxTime time, const Image &picture) {
        const Clip *clip = effect_.defects();
        if (clip == nullptr) return;
        if (clip->is_connected()) {
            if (const Image *map = fetched(*clip, time)) offer_mask("defect_map", number, *map);
        } else if (picture.view().channels() == 4 && effect_.whole(parameter::defect_alpha, moment_.time) != 0) {
            offer_mask("defect_map", number, picture);
        }
    }

    void offer_protect() {
        if (const Image *mask = fetched(*effect_.protect(), moment_.time)) offer_mask("protect", frame_, *mask);
    }

    void offer_reference() {
        const auto [first, last] = effect_.reference_times(moment_.time);
        int number = 0;
        for (OfxTime time = first; time <= last; time += 1.0, ++number) {
            if (const Image *image = fetched(*effect_.reference(), time)) {
                offer_picture("reference", number, *image, image->view().bounds());
            }
        }
    }

    void offer_picture(const char *plane, int number, const Image &image, const OfxRectI &box) {
        offers_.push_back({plane, number, change_of(image, box, colourspace_), height(box), width(box), 3,
                           [view = image.view(), box](float *packed) { pack_colour(view, box, packed); }});
    }

    void offer_mask(const char *plane, int number, const Image &image) {
        offers_.push_back({plane, number, change_of(image, box_, plane), height(box_), width(box_), 1,
                           [view = image.view(), box = box_](float *packed) { pack_mask(view, box, packed); }});
    }

    // What tells these pixels from others: a hash of them; or, where the user vouches for the host, its name for them.
    std::string change_of(const Image &image, const OfxRectI &box, const std::string &also) const {
        const std::string name = trusts_names_ ? image.identifier() : "";
        if (name.empty() || name.size() > longest_name) return fingerprint(image.view(), box, also);
        return "named " + placed(image.view(), box, also) + " " + name;
    }

    const Image *fetched(const Clip &clip, OfxTime time) {
        auto image = clip.image(time);
        if (!image) return nullptr;
        images_.push_back(std::move(*image));
        return &images_.back();
    }

    // A host that is asked for a frame beyond its clip fails, repeats an edge, or gives any other.
    static bool is_outside(const std::optional<OfxRangeD> &range, OfxTime time) {
        return range && (time < range->min - 0.5 || time > range->max + 0.5);
    }

    const Effect &effect_;
    const Moment &moment_;
    OfxRectI box_;
    std::string colourspace_;
    bool trusts_names_;
    int frame_;
    int withheld_ = 0, neighbours_ = 0;
    std::deque<Image> images_;
    std::vector<Offer> offers_;
};

// What the pixels are in: as the parameter says, or as the host says of its clip where the parameter leaves it to it.
std::string colourspace_of(const Effect &effect, OfxTime time) {
    const std::string said = effect.text(parameter::colourspace, time);
    if (said != "host") return said.empty() ? "scene_linear" : said;
    const std::string hosts = effect.source().colourspace();
    if (!hosts.empty()) return hosts;
    throw EngineError("usage",
                      "Colourspace is left to the host, but this host does not say what its clips are in: give the "
                      "name of a colourspace, such as scene_linear");
}

FrameAsk ask_of(const Effect &effect, const Moment &moment, Plates &plates, const std::string &colourspace) {
    FrameAsk ask;
    ask.type = effect.node().verb + std::string("_frame");
    ask.height = height(plates.box());
    ask.width = width(plates.box());
    ask.colourspace = colourspace;
    ask.fields = {{"clip", effect.clip_name()},
                  {"frame", plates.frame()},
                  {"working_space", "scene_linear"},
                  {"settings", effect.settings(moment.time, moment.scale)}};
    std::string config = effect.text(parameter::config, moment.time);
    if (config.empty()) config = platform::variable("OCIO");  // the engine is not this host's child, and may have another
    if (!config.empty()) ask.fields["config"] = config;
    if (effect.node().has_windows) {
        const std::string analysis = effect.text(parameter::analysis, moment.time);
        if (!analysis.empty()) ask.fields["analysis"] = analysis;
    }
    ask.offers = plates.take_offers();
    return ask;
}

void write(const FrameAnswer &answer, const ImageView &source, const ImageView &output, const OfxRectI &window) {
    if (answer.pixels == nullptr) {
        copy_part(source, output, window);
        return;
    }
    // The engine counts rows from the top of the frame, the host from below.
    const OfxRectI &box = source.bounds();
    const OfxRectI part{box.x1 + answer.x0, box.y2 - answer.y1, box.x1 + answer.x1, box.y2 - answer.y0};
    lay_over(answer.pixels, part, source, output, window);
}

void make(Effect &effect, const Moment &moment, const Image &source, const ImageView &output) {
    ProgressBar progress(effect);
    const Watch watch{[&] { return progress.is_refused() || suites().effect->abort(effect.handle()) != 0; },
                      [&](double share) { progress.show(share); }};
    const std::string colourspace = colourspace_of(effect, moment.time);
    Engine &engine = Engine::of_this_process();
    const auto connection = engine.connection(watch.is_aborted);
    Plates plates(effect, moment, source, colourspace);
    const FrameAsk ask = ask_of(effect, moment, plates, colourspace);
    const auto use = [&](const FrameAnswer &answer) { write(answer, source.view(), output, moment.window); };
    try {
        ask_for_frame(connection, ask, watch, use);
    } catch (const EngineError &error) {
        // Engines end when nobody has asked for anything for a while, and are started again.
        if (error.code != "lost") throw;
        engine.discard(connection);
        ask_for_frame(engine.connection(watch.is_aborted), ask, watch, use);
    }
    effect.say(ofx::message_warning, plates.is_alone() ? no_neighbours : "");
}

OfxStatus failed(Effect &effect, OfxTime time, const std::string &why) {
    effect.say(ofx::message_error, std::string(effect.node().label) + ": " + why);
    return effect.whole(parameter::on_failure, time) == 1 ? ofx::ok : ofx::failed;
}

}  // namespace

OfxStatus render(Effect &effect, const Properties &in) {
    const Moment moment = moment_of(in);
    const auto output = effect.output().image(moment.time);
    if (!output) throw HostError("the host gave no image to render to", ofx::failed);
    const auto source = effect.source().image(moment.time);
    if (!source) {
        fill_black(output->view(), moment.window);
        return failed(effect, moment.time, "the host gave no source image");
    }
    // A host may show what is in the output whatever this action answers: the source, where there is no result.
    const auto pass_on = [&] { copy_part(source->view(), output->view(), moment.window); };
    try {
        if (moment.is_thumbnail || effect.passes_through(moment.time)) {
            pass_on();
        } else {
            make(effect, moment, *source, output->view());
        }
        return ofx::ok;
    } catch (const EngineError &error) {
        pass_on();
        return error.code == "cancelled" ? ofx::ok : failed(effect, moment.time, error.what());
    } catch (const std::exception &error) {
        pass_on();
        return failed(effect, moment.time, error.what());
    }
}

}  // namespace filmrestore
