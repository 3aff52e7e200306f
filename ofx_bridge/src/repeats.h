// The windows of a method over film that shows some frames again, as the reel's analysis names them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace filmrestore {

class Repeats {
  public:
    // Frames that repeat the one before them.
    explicit Repeats(std::vector<int> frames);
    // Those of an analysis file; none where it cannot be read: the engine, which reads it too, says why.
    static Repeats of(const std::string &analysis);

    // First and last of the frames in the window that restores `frame`; each picture counts once.
    std::pair<int, int> window_of(int frame, int window, int keep) const;

  private:
    // A frame's number less the repeats up to it, and the first frame of that rank.
    int rank(int frame) const;
    int first_of(int rank) const;

    std::vector<int> frames_, ranks_;
};

}  // namespace filmrestore
