#include "engine.h"

#include <utility>

#include "host.h"
#include "parameters_generated.h"

namespace filmrestore {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds look_up{50};
constexpr seconds longest_start{120};      // a cold start reads the libraries from a slow disk
constexpr seconds longest_handover{5};     // from the end of our own start to the answer of the client that was faster
constexpr seconds until_next_attempt{10};  // a failed start is not tried again for every frame
constexpr std::size_t shown_of_log = 600;
constexpr std::size_t largest_record = 65536;

// Where this machine's engine is found, and what install recorded of it.
struct Place {
    Json record;
    std::string device;
    std::string server_file;
    std::string log;
};

Json record_beside_plugin() {
    // The binary lies in Contents/<platform>, the record in Contents/Resources.
    const std::string module = platform::module_file();
    std::string folder = module;
    for (int up = 0; up < 2; ++up) {
        const std::size_t end = folder.find_last_of("/\\");
        if (end == std::string::npos) return Json::Object{};
        folder.resize(end);
    }
    const std::string file = platform::joined(platform::joined(folder, "Resources"), "engine.json");
    const auto text = platform::end_of_file(file, largest_record);
    if (!text) return Json::Object{};
    try {
        const Json record = Json::parse(*text);
        static_cast<void>(record.object());
        return record;
    } catch (const JsonError &error) {
        throw EngineError("start", file + " cannot be read: " + error.what() + "; run `filmrestore install ofx` again");
    }
}

std::string recorded(const Json &record, const char *key) { return record.has(key) ? record[key].text() : ""; }

std::vector<std::string> engine_program(const Json &record) {
    std::string python = platform::variable("FILMRESTORE_PYTHON");
    if (python.empty()) python = recorded(record, "python");
    if (!python.empty()) return {python, "-m", "filmrestore.cli"};
    const std::string program = platform::find_program("filmrestore");
    if (!program.empty()) return {program};
    throw EngineError("start",
                      "no engine is known here: run `filmrestore install ofx`, or set FILMRESTORE_PYTHON to the Python "
                      "that filmrestore is installed in");
}

// As docs/server.md names the files of a device.
std::string file_part(std::string device) {
    for (char &c : device) {
        const bool is_kept = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                             c == '_';
        if (!is_kept) c = '-';
    }
    return device;
}

Place place_of_engine() {
    Place place{record_beside_plugin(), platform::variable("FILMRESTORE_DEVICE"), "", ""};
    if (place.device.empty()) place.device = recorded(place.record, "device");
    if (place.device.empty()) place.device = "cpu";
    const std::string start = platform::joined(platform::runtime_folder(), "server-" + file_part(place.device));
    place.server_file = start + ".json";
    place.log = start + ".log";
    return place;
}

std::unique_ptr<platform::Stream> stream_to(const Json &server) {
    if (server.has("socket")) return platform::connect_to_file(server["socket"].text());
    const std::string &address = server["address"].text();
    const std::string before = "127.0.0.1:";
    int port = 0;
    for (std::size_t i = before.size(); i < address.size() && address[i] >= '0' && address[i] <= '9' && port < 65536; ++i) {
        port = port * 10 + (address[i] - '0');
    }
    if (address.compare(0, before.size(), before) != 0 || port < 1 || port > 65535) {
        throw platform::SystemError("the engine's address is " + address + ": expected one of this machine");
    }
    return platform::connect_to_port(static_cast<std::uint16_t>(port));
}

// The connection to a server that is there; null where there is none. Throws EngineError where there is one that
// refuses us: another would do the same.
std::shared_ptr<Connection> connect(const Place &place) {
    const auto text = platform::end_of_file(place.server_file, largest_record);
    if (!text) return nullptr;
    try {
        const Json server = Json::parse(*text);
        Json::Object hello{{"type", "hello"},
                           {"client", "ofx " + std::string(generated::version) + " in " + host_name()},
                           {"settings", generated::settings_digest}};
        if (server.has("token")) hello["token"] = server["token"];
        return std::make_shared<Connection>(stream_to(server), hello);
    } catch (const JsonError &) {
        return nullptr;  // written at this moment
    } catch (const platform::SystemError &) {
        return nullptr;  // left behind by a server that is gone
    } catch (const EngineError &error) {
        if (error.code == "lost") return nullptr;
        throw;
    }
}

std::string last_lines(const std::string &log) {
    std::string text = platform::end_of_file(log, shown_of_log).value_or("");
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.size() >= shown_of_log - 2) text.erase(0, text.find('\n') + 1);
    return text.empty() ? "its log, " + log + ", is empty" : text;
}

}  // namespace

Engine &Engine::of_this_process() {
    static Engine *const engine = new Engine;  // never destroyed: hosts end with renders under way
    return *engine;
}

void Engine::begin() {
    const std::lock_guard lock(mutex_);
    begin_locked();
}

void Engine::begin_locked() {
    if (state_ == State::searching || is_stopping_) return;
    if (state_ == State::ready && connection_->is_alive()) return;
    if (state_ == State::failed && Clock::now() - failed_at_ < until_next_attempt) return;
    if (searcher_.joinable()) searcher_.join();  // it has said so before it ended
    connection_.reset();
    state_ = State::searching;
    searcher_ = std::thread([this] { search(); });
}

std::shared_ptr<Connection> Engine::connection(const std::function<bool()> &is_aborted) {
    std::unique_lock lock(mutex_);
    begin_locked();
    while (state_ == State::searching) {
        changed_.wait_for(lock, look_up);
        lock.unlock();
        const bool is_over = is_aborted();
        lock.lock();
        if (is_over) throw EngineError("cancelled", "stopped by the host");
    }
    if (state_ == State::ready) return connection_;
    throw EngineError("start", reason_);
}

void Engine::discard(const std::shared_ptr<Connection> &lost) {
    const std::lock_guard lock(mutex_);
    if (connection_ != lost) return;
    connection_.reset();
    state_ = State::idle;
}

void Engine::stop() {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    std::thread searcher = std::move(searcher_);
    lock.unlock();
    if (searcher.joinable()) searcher.join();
    lock.lock();
    connection_.reset();
    process_.reset();
    state_ = State::idle;
    is_stopping_ = false;
}

bool Engine::is_stopping() {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
}

void Engine::search() {
    std::shared_ptr<Connection> connection;
    std::string reason;
    try {
        connection = found_or_started();
    } catch (const std::exception &error) {
        reason = error.what();
    }
    const std::lock_guard lock(mutex_);
    connection_ = std::move(connection);
    reason_ = std::move(reason);
    failed_at_ = Clock::now();
    state_ = connection_ ? State::ready : State::failed;
    changed_.notify_all();
}

std::shared_ptr<Connection> Engine::found_or_started() {
    const Place place = place_of_engine();
    if (auto connection = connect(place)) return connection;
    std::vector<std::string> command = engine_program(place.record);
    command.insert(command.end(), {"serve", "--device", place.device});
    process_ = platform::start(command, place.log);
    auto deadline = Clock::now() + longest_start;
    bool was_faster = true;
    while (Clock::now() < deadline && !is_stopping()) {
        std::this_thread::sleep_for(look_up);
        if (auto connection = connect(place)) return connection;
        const auto code = process_->ended();
        if (!code) continue;
        if (*code != 0) {
            throw EngineError("start", "the engine ended with code " + std::to_string(*code) + ": " + last_lines(place.log));
        }
        // Code 0: another client's engine is there already, or will be in a moment.
        if (std::exchange(was_faster, false)) deadline = std::min(deadline, Clock::now() + longest_handover);
    }
    throw EngineError("start", "the engine did not answer in time: " + last_lines(place.log));
}

}  // namespace filmrestore
