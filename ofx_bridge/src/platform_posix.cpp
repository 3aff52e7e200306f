// Linux and macOS.
#include "platform_posix.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "platform.h"

extern char **environ;

namespace filmrestore::platform {

namespace {

[[noreturn]] void fail(const std::string &what) { throw SystemError(what + ": " + std::strerror(errno)); }

class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) close(number_);
    }
    Descriptor(Descriptor &&other) noexcept : number_(other.number_) { other.number_ = -1; }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    Descriptor &operator=(Descriptor &&) = delete;
    int number() const { return number_; }

  private:
    int number_;
};

class Socket final : public Stream {
  public:
    explicit Socket(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    void send(const void *data, std::size_t bytes) override {
        const auto *at = static_cast<const std::byte *>(data);
        while (bytes > 0) {
            const ssize_t sent = ::send(descriptor_.number(), at, bytes, send_flags());
            if (sent < 0 && errno == EINTR) continue;
            if (sent <= 0) fail("the engine does not listen any more");
            at += sent;
            bytes -= static_cast<std::size_t>(sent);
        }
    }

    void receive(void *data, std::size_t bytes) override {
        auto *at = static_cast<std::byte *>(data);
        while (bytes > 0) {
            const ssize_t got = ::recv(descriptor_.number(), at, bytes, 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail("the engine does not answer any more");
            if (got == 0) throw SystemError("the engine has closed the connection");
            at += got;
            bytes -= static_cast<std::size_t>(got);
        }
    }

    void shut() noexcept override { ::shutdown(descriptor_.number(), SHUT_RDWR); }

  private:
    Descriptor descriptor_;
};

std::unique_ptr<Stream> connected(int family, const sockaddr *address, socklen_t length, const std::string &where) {
    Descriptor descriptor(socket(family, SOCK_STREAM, 0));
    if (descriptor.number() < 0) fail("no socket can be made");
    fcntl(descriptor.number(), F_SETFD, FD_CLOEXEC);
    silence(descriptor.number());
    if (connect(descriptor.number(), address, length) != 0) fail("nobody listens at " + where);
    return std::make_unique<Socket>(std::move(descriptor));
}

class MappedFile final : public Mapping {
  public:
    MappedFile(void *data, std::size_t bytes) : data_(data), bytes_(bytes) {}
    ~MappedFile() override { munmap(data_, bytes_); }
    std::byte *data() override { return static_cast<std::byte *>(data_); }

  private:
    void *data_;
    std::size_t bytes_;
};

class Child final : public Process {
  public:
    explicit Child(pid_t pid) : pid_(pid) {}

    std::optional<int> ended() override {
        if (code_) return code_;
        int status = 0;
        const pid_t got = waitpid(pid_, &status, WNOHANG);
        if (got == 0) return std::nullopt;
        // A host that reaps every child leaves us no code: then only the engine's file says how it went.
        code_ = got != pid_ ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return code_;
    }

  private:
    pid_t pid_;
    std::optional<int> code_;
};

class SpawnPlan {
  public:
    explicit SpawnPlan(const std::string &log) {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        close_the_hosts_files(&actions);
        // Hosts block or ignore signals that the engine ends by.
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        const int flags = spawn_flags() | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
    }
    ~SpawnPlan() {
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    SpawnPlan(const SpawnPlan &) = delete;
    SpawnPlan &operator=(const SpawnPlan &) = delete;

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

std::string folder_for_temporary_files() {
    const std::string said = variable("TMPDIR");
    return said.empty() ? "/tmp" : said;
}

}  // namespace

std::string variable(const char *name) {
    const char *value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string module_file() {
    Dl_info about{};
    const auto here = reinterpret_cast<const void *>(&module_file);
    return dladdr(here, &about) != 0 && about.dli_fname != nullptr ? about.dli_fname : "";
}

std::int64_t process_id() { return getpid(); }

std::string joined(const std::string &folder, const std::string &name) { return folder + "/" + name; }

std::string runtime_folder() {
    std::string folder = variable("FILMRESTORE_RUNTIME");
    if (folder.empty() && !variable("XDG_RUNTIME_DIR").empty()) {
        folder = joined(variable("XDG_RUNTIME_DIR"), "filmrestore");
    }
    if (folder.empty()) {
        folder = joined(folder_for_temporary_files(), "filmrestore-" + std::to_string(geteuid()));
    }
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail("the folder " + folder + " cannot be made");
    struct stat about{};
    if (lstat(folder.c_str(), &about) != 0) fail("the folder " + folder + " cannot be looked at");
    if (!S_ISDIR(about.st_mode) || about.st_uid != geteuid() || (about.st_mode & 077) != 0) {
        throw SystemError("the folder " + folder + " must be a folder of your own with the mode 0700: remove it");
    }
    return folder;
}

std::string find_program(const std::string &name) {
    const std::string path = variable("PATH");
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        const std::string file = joined(path.substr(start, end - start), name);
        if (end > start && access(file.c_str(), X_OK) == 0) return file;
        start = end + 1;
    }
    return "";
}

std::optional<std::string> end_of_file(const std::string &path, std::size_t limit) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.number() < 0) return std::nullopt;
    const off_t size = lseek(file.number(), 0, SEEK_END);
    const off_t start = std::max<off_t>(0, size - static_cast<off_t>(limit));
    std::string text(limit, '\0');
    const ssize_t got = pread(file.number(), text.data(), limit, start);
    if (got < 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(got));
    return text;
}

std::optional<std::string> whole_file(const std::string &path, std::size_t limit) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (file.number() < 0 || fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
    if (about.st_size > static_cast<off_t>(limit)) return std::nullopt;
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    const ssize_t got = pread(file.number(), text.data(), text.size(), 0);
    if (got != about.st_size) return std::nullopt;
    return text;
}

std::unique_ptr<Stream> connect_to_file(const std::string &socket_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof address.sun_path) throw SystemError("the socket's path is too long: " + socket_path);
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    return connected(AF_UNIX, reinterpret_cast<const sockaddr *>(&address), sizeof address, socket_path);
}

std::unique_ptr<Stream> connect_to_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connected(AF_INET, reinterpret_cast<const sockaddr *>(&address), sizeof address,
                     "port " + std::to_string(port));
}

std::unique_ptr<Mapping> map_file(const std::string &path, std::size_t bytes) {
    const Descriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (file.number() < 0) fail("the slot " + path + " cannot be opened");
    struct stat about{};
    if (fstat(file.number(), &about) != 0) fail("the slot " + path + " cannot be looked at");
    if (!S_ISREG(about.st_mode) || about.st_uid != geteuid() || static_cast<std::uint64_t>(about.st_size) < bytes) {
        throw SystemError("the slot " + path + " is not a plain file of yours with " + std::to_string(bytes) + " bytes");
    }
    void *data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (data == MAP_FAILED) fail("the slot " + path + " cannot be mapped");
    return std::make_unique<MappedFile>(data, bytes);
}

std::unique_ptr<Process> start(const std::vector<std::string> &command, const std::string &log) {
    std::vector<char *> words, environment;
    for (const std::string &word : command) words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    for (char **entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        if (!is_scrubbed(*entry)) environment.push_back(*entry);
    }
    environment.push_back(nullptr);
    const SpawnPlan plan(log);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, words[0], &plan.actions, &plan.attributes, words.data(), environment.data());
    if (error != 0) throw SystemError(command[0] + " cannot be run: " + std::strerror(error));
    return std::make_unique<Child>(pid);
}

}  // namespace filmrestore::platform
