// What all platforms share.
#include "platform.h"

#include <array>
#include <cstring>

namespace filmrestore::platform {

bool is_scrubbed(const std::string &entry) {
    constexpr std::array<const char *, 6> starts = {"PYTHON",      "CONDA", "LD_LIBRARY_PATH=",
                                                    "LD_PRELOAD=", "DYLD_", "VIRTUAL_ENV"};
    for (const char *start : starts) {
        if (entry.compare(0, std::strlen(start), start) == 0) return true;
    }
    return false;
}

}  // namespace filmrestore::platform
