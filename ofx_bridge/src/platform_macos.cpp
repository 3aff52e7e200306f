#include <sys/socket.h>

#include "platform_posix.h"

namespace filmrestore::platform {

int send_flags() { return 0; }

void silence(int socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

short spawn_flags() { return POSIX_SPAWN_SETSID | POSIX_SPAWN_CLOEXEC_DEFAULT; }

void close_the_hosts_files(posix_spawn_file_actions_t *) {}

}  // namespace filmrestore::platform
