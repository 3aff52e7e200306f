// The few things in which Linux and macOS differ; platform_posix.cpp has what they share.
#pragma once

#include <spawn.h>

namespace filmrestore::platform {

// Flags for `send` and settings of a socket so that a closed one raises no signal.
int send_flags();
void silence(int socket);
// A child gets none of the host's open files, and a session of its own.
short spawn_flags();
void close_the_hosts_files(posix_spawn_file_actions_t *actions);

}  // namespace filmrestore::platform
