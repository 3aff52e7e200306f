#include <dirent.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

#include "platform_posix.h"

namespace filmrestore::platform {

int send_flags() { return MSG_NOSIGNAL; }

void silence(int) {}

short spawn_flags() { return POSIX_SPAWN_SETSID; }

void close_the_hosts_files(posix_spawn_file_actions_t *actions) {
    const std::unique_ptr<DIR, int (*)(DIR *)> folder(opendir("/proc/self/fd"), closedir);
    if (!folder) return;
    while (const dirent *entry = readdir(folder.get())) {
        const int descriptor = std::atoi(entry->d_name);
        // One that is closed meanwhile is passed over by the C library.
        if (descriptor > 2) posix_spawn_file_actions_addclose(actions, descriptor);
    }
}

}  // namespace filmrestore::platform
