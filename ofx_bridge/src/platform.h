// What differs between operating systems: sockets, mapped files, processes, places. One source file each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace filmrestore::platform {

class SystemError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// An environment variable; empty where it is not set.
std::string variable(const char *name);
// The file that this code was loaded from; empty where it cannot be told.
std::string module_file();
std::int64_t process_id();

// The user's runtime folder, as docs/server.md finds it, made where it is missing. Throws SystemError where it is a
// link, another user's, or open to others.
std::string runtime_folder();
std::string joined(const std::string &folder, const std::string &name);
// A program on the search path; empty where there is none.
std::string find_program(const std::string &name);
// At most `limit` bytes from the end of a file of the engine's; nothing where it cannot be read or is a link.
std::optional<std::string> end_of_file(const std::string &path, std::size_t limit);
// All of a file of the user's, up to `limit` bytes; nothing where it is longer or cannot be read.
std::optional<std::string> whole_file(const std::string &path, std::size_t limit);

// A connected stream. `receive` and `send` may be used from two threads at once; `shut` wakes both.
class Stream {
  public:
    virtual ~Stream() = default;
    // All of them, else SystemError.
    virtual void send(const void *data, std::size_t bytes) = 0;
    virtual void receive(void *data, std::size_t bytes) = 0;
    virtual void shut() noexcept = 0;
};

// Throw SystemError where nobody listens.
std::unique_ptr<Stream> connect_to_file(const std::string &socket_path);
std::unique_ptr<Stream> connect_to_port(std::uint16_t port);

// A file of the engine's in this process's memory.
class Mapping {
  public:
    virtual ~Mapping() = default;
    virtual std::byte *data() = 0;
};

// Throws SystemError where the file is a link, not a plain file of this user's, or smaller than `bytes`.
std::unique_ptr<Mapping> map_file(const std::string &path, std::size_t bytes);

// The engine's process, in a session of its own; it outlives this object.
class Process {
  public:
    virtual ~Process() = default;
    // The exit code once it has ended.
    virtual std::optional<int> ended() = 0;
};

// Starts a program with an environment free of the host's Python and libraries, input from nowhere, output to a log
// that is begun anew. Throws SystemError.
std::unique_ptr<Process> start(const std::vector<std::string> &command, const std::string &log);

// Whether the host's libraries or its Python would reach the engine through this variable, written NAME=value.
bool is_scrubbed(const std::string &entry);

}  // namespace filmrestore::platform
