// Windows.
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <algorithm>
#include <cstring>

#include "platform.h"

namespace filmrestore::platform {

namespace {

[[noreturn]] void fail(const std::string &what) {
    throw SystemError(what + ": error " + std::to_string(GetLastError()));
}

std::wstring wide(const std::string &text) {
    const int size = MultiByteToWideChar(CP_UTF8, 0, text.c_str(), static_cast<int>(text.size()), nullptr, 0);
    std::wstring out(static_cast<std::size_t>(size), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.c_str(), static_cast<int>(text.size()), out.data(), size);
    return out;
}

std::string narrow(const std::wstring &text) {
    const int length = static_cast<int>(text.size());
    const int size = WideCharToMultiByte(CP_UTF8, 0, text.c_str(), length, nullptr, 0, nullptr, nullptr);
    std::string out(static_cast<std::size_t>(size), '\0');
    WideCharToMultiByte(CP_UTF8, 0, text.c_str(), length, out.data(), size, nullptr, nullptr);
    return out;
}

class Handle {
  public:
    explicit Handle(HANDLE handle) : handle_(handle) {}
    ~Handle() {
        if (is_open()) CloseHandle(handle_);
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    bool is_open() const { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }
    HANDLE get() const { return handle_; }

  private:
    HANDLE handle_;
};

class Socket final : public Stream {
  public:
    explicit Socket(SOCKET socket) : socket_(socket) {}
    ~Socket() override { closesocket(socket_); }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    void send(const void *data, std::size_t bytes) override {
        const auto *at = static_cast<const char *>(data);
        while (bytes > 0) {
            const int sent = ::send(socket_, at, static_cast<int>(std::min<std::size_t>(bytes, most_at_once)), 0);
            if (sent <= 0) throw SystemError("the engine does not listen any more");
            at += sent;
            bytes -= static_cast<std::size_t>(sent);
        }
    }

    void receive(void *data, std::size_t bytes) override {
        auto *at = static_cast<char *>(data);
        while (bytes > 0) {
            const int got = ::recv(socket_, at, static_cast<int>(std::min<std::size_t>(bytes, most_at_once)), 0);
            if (got <= 0) throw SystemError("the engine has closed the connection");
            at += got;
            bytes -= static_cast<std::size_t>(got);
        }
    }

    void shut() noexcept override { ::shutdown(socket_, SD_BOTH); }

  private:
    static constexpr std::size_t most_at_once = 1U << 30;
    SOCKET socket_;
};

class MappedFile final : public Mapping {
  public:
    explicit MappedFile(void *data) : data_(data) {}
    ~MappedFile() override { UnmapViewOfFile(data_); }
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;
    std::byte *data() override { return static_cast<std::byte *>(data_); }

  private:
    void *data_;
};

class Child final : public Process {
  public:
    explicit Child(HANDLE process) : process_(process) {}
    std::optional<int> ended() override {
        DWORD code = 0;
        if (WaitForSingleObject(process_.get(), 0) != WAIT_OBJECT_0) return std::nullopt;
        if (GetExitCodeProcess(process_.get(), &code) == 0) return 1;
        return static_cast<int>(code);
    }

  private:
    Handle process_;
};

// One word of a command line as the C runtime reads it.
std::wstring quoted(const std::string &word) {
    std::wstring out = L"\"";
    std::size_t slashes = 0;
    for (const wchar_t c : wide(word)) {
        if (c == L'"') out.append(slashes + 1, L'\\');
        slashes = c == L'\\' ? slashes + 1 : 0;
        out.push_back(c);
    }
    out.append(slashes, L'\\');
    return out + L'"';
}

std::wstring scrubbed_environment() {
    wchar_t *const all = GetEnvironmentStringsW();
    if (all == nullptr) fail("the environment cannot be read");
    std::wstring kept;
    for (const wchar_t *entry = all; *entry != L'\0'; entry += std::wcslen(entry) + 1) {
        if (!is_scrubbed(narrow(entry))) kept.append(entry).push_back(L'\0');
    }
    FreeEnvironmentStringsW(all);
    kept.push_back(L'\0');
    return kept;
}

}  // namespace

std::string variable(const char *name) {
    const std::wstring key = wide(name);
    const DWORD size = GetEnvironmentVariableW(key.c_str(), nullptr, 0);
    if (size == 0) return "";
    std::wstring value(size, L'\0');
    value.resize(GetEnvironmentVariableW(key.c_str(), value.data(), size));
    return narrow(value);
}

std::string module_file() {
    HMODULE module = nullptr;
    const auto here = reinterpret_cast<LPCWSTR>(reinterpret_cast<void *>(&module_file));
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (GetModuleHandleExW(flags, here, &module) == 0) return "";
    std::wstring path(32768, L'\0');
    path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
    return narrow(path);
}

std::int64_t process_id() { return GetCurrentProcessId(); }

std::string joined(const std::string &folder, const std::string &name) { return folder + "\\" + name; }

std::string runtime_folder() {
    std::string folder = variable("FILMRESTORE_RUNTIME");
    if (folder.empty()) folder = joined(variable("LOCALAPPDATA"), "filmrestore\\run");
    // The folder above it is the user's own, and so is what is made in it.
    for (std::size_t at = folder.find('\\', 3); at != std::string::npos; at = folder.find('\\', at + 1)) {
        CreateDirectoryW(wide(folder.substr(0, at)).c_str(), nullptr);
    }
    CreateDirectoryW(wide(folder).c_str(), nullptr);
    const DWORD about = GetFileAttributesW(wide(folder).c_str());
    if (about == INVALID_FILE_ATTRIBUTES) fail("the folder " + folder + " cannot be made");
    if ((about & FILE_ATTRIBUTE_DIRECTORY) == 0 || (about & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
        throw SystemError(folder + " must be a plain folder: remove it");
    }
    return folder;
}

std::string find_program(const std::string &name) {
    std::wstring path(32768, L'\0');
    const DWORD size = SearchPathW(nullptr, wide(name).c_str(), L".exe", static_cast<DWORD>(path.size()), path.data(), nullptr);
    path.resize(size < path.size() ? size : 0);
    return narrow(path);
}

std::optional<std::string> end_of_file(const std::string &path, std::size_t limit) {
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const Handle file(CreateFileW(wide(path).c_str(), GENERIC_READ, sharing, nullptr, OPEN_EXISTING, 0, nullptr));
    LARGE_INTEGER size{}, start{};
    if (!file.is_open() || GetFileSizeEx(file.get(), &size) == 0) return std::nullopt;
    start.QuadPart = std::max<LONGLONG>(0, size.QuadPart - static_cast<LONGLONG>(limit));
    if (SetFilePointerEx(file.get(), start, nullptr, FILE_BEGIN) == 0) return std::nullopt;
    std::string text(limit, '\0');
    DWORD got = 0;
    if (ReadFile(file.get(), text.data(), static_cast<DWORD>(limit), &got, nullptr) == 0) return std::nullopt;
    text.resize(got);
    return text;
}

std::optional<std::string> whole_file(const std::string &path, std::size_t limit) {
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const Handle file(CreateFileW(wide(path).c_str(), GENERIC_READ, sharing, nullptr, OPEN_EXISTING, 0, nullptr));
    LARGE_INTEGER size{};
    if (!file.is_open() || GetFileSizeEx(file.get(), &size) == 0) return std::nullopt;
    if (size.QuadPart > static_cast<LONGLONG>(limit)) return std::nullopt;
    std::string text(static_cast<std::size_t>(size.QuadPart), '\0');
    DWORD got = 0;
    if (ReadFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &got, nullptr) == 0) return std::nullopt;
    if (got != text.size()) return std::nullopt;
    return text;
}

std::unique_ptr<Stream> connect_to_file(const std::string &socket_path) {
    throw SystemError("there are no socket files on Windows: " + socket_path);
}

std::unique_ptr<Stream> connect_to_port(std::uint16_t port) {
    WSADATA about{};
    if (WSAStartup(MAKEWORD(2, 2), &about) != 0) throw SystemError("there is no network");
    const SOCKET number = socket(AF_INET, SOCK_STREAM, 0);
    if (number == INVALID_SOCKET) throw SystemError("no socket can be made");
    auto stream = std::make_unique<Socket>(number);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(number, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
        throw SystemError("nobody listens at port " + std::to_string(port));
    }
    return stream;
}

std::unique_ptr<Mapping> map_file(const std::string &path, std::size_t bytes) {
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const Handle file(CreateFileW(wide(path).c_str(), GENERIC_READ | GENERIC_WRITE, sharing, nullptr, OPEN_EXISTING,
                                  FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
    LARGE_INTEGER size{};
    if (!file.is_open() || GetFileSizeEx(file.get(), &size) == 0) fail("the slot " + path + " cannot be opened");
    if (static_cast<std::uint64_t>(size.QuadPart) < bytes) {
        throw SystemError("the slot " + path + " has less than " + std::to_string(bytes) + " bytes");
    }
    const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READWRITE, 0, 0, nullptr));
    if (!mapping.is_open()) fail("the slot " + path + " cannot be mapped");
    void *data = MapViewOfFile(mapping.get(), FILE_MAP_ALL_ACCESS, 0, 0, bytes);
    if (data == nullptr) fail("the slot " + path + " cannot be mapped");
    return std::make_unique<MappedFile>(data);
}

std::unique_ptr<Process> start(const std::vector<std::string> &command, const std::string &log) {
    SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const Handle output(CreateFileW(wide(log).c_str(), GENERIC_WRITE, sharing, &inherited, CREATE_ALWAYS, 0, nullptr));
    const Handle nothing(CreateFileW(L"NUL", GENERIC_READ, sharing, &inherited, OPEN_EXISTING, 0, nullptr));
    if (!output.is_open() || !nothing.is_open()) fail("the log " + log + " cannot be written");
    std::wstring line;
    for (const std::string &word : command) line += (line.empty() ? L"" : L" ") + quoted(word);
    // Of the host's handles the engine gets these two and no other.
    HANDLE handed_over[] = {output.get(), nothing.get()};
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    std::vector<std::byte> memory(size);
    STARTUPINFOEXW how{};
    how.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
    if (InitializeProcThreadAttributeList(how.lpAttributeList, 1, 0, &size) == 0 ||
        UpdateProcThreadAttribute(how.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handed_over,
                                  sizeof handed_over, nullptr, nullptr) == 0) {
        fail("the engine's handles cannot be listed");
    }
    how.StartupInfo.cb = sizeof how;
    how.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    how.StartupInfo.hStdInput = nothing.get();
    how.StartupInfo.hStdOutput = how.StartupInfo.hStdError = output.get();
    std::wstring environment = scrubbed_environment();
    const DWORD flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    PROCESS_INFORMATION made{};
    const BOOL is_started = CreateProcessW(wide(command[0]).c_str(), line.data(), nullptr, nullptr, TRUE, flags,
                                           environment.data(), nullptr, &how.StartupInfo, &made);
    const DWORD error = GetLastError();
    DeleteProcThreadAttributeList(how.lpAttributeList);
    if (is_started == 0) throw SystemError(command[0] + " cannot be run: error " + std::to_string(error));
    CloseHandle(made.hThread);
    return std::make_unique<Child>(made.hProcess);
}

}  // namespace filmrestore::platform
