// One frame asked of the engine: offers what there is, puts what is needed, and takes the result.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "connection.h"

namespace filmrestore {

// One image that the engine may ask for.
struct Offer {
    std::string plane;
    int frame;
    std::string change;
    int height, width, channels;
    std::function<void(float *)> pack;  // writes height x width x channels
};

struct FrameAsk {
    std::string type;  // restore_frame, degrade_frame, grain_frame
    int height, width;
    std::string colourspace;
    Json::Object fields;  // clip, frame, settings and the like
    std::vector<Offer> offers;
};

// The part of the frame that the answer holds: rows from the top, three floats a pixel; nothing changed outside of it.
struct FrameAnswer {
    int x0, y0, x1, y1;
    const float *pixels;
};

struct Watch {
    std::function<bool()> is_aborted;                      // asked every 50 ms
    std::function<void(double share)> progress;            // of the work, 0 to 1
};

// Throws EngineError; with the code "cancelled" after an abort, within 50 ms of it.
void ask_for_frame(const std::shared_ptr<Connection> &connection, const FrameAsk &ask, const Watch &watch,
                   const std::function<void(const FrameAnswer &)> &use);
// Lets go of what aborted requests had lent: for the end of the plug-in.
void drop_unsettled();

}  // namespace filmrestore
