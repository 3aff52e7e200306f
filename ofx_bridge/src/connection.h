// One connection to the engine, shared by every instance: calls by their id, and slots of shared memory.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform.h"
#include "wire.h"

namespace filmrestore {

// What the engine answered instead of a result. Codes as in docs/server.md, and "lost" (the connection), "start" (no
// engine could be had).
class EngineError : public std::runtime_error {
  public:
    EngineError(std::string code_, const std::string &what) : std::runtime_error(what), code(std::move(code_)) {}
    std::string code;
};

struct Slot {
    std::int64_t number, generation;
    std::size_t bytes;
    std::unique_ptr<platform::Mapping> mapping;

    std::byte *pixels() const { return mapping->data() + wire::slot_head_bytes; }
};

// The answers to one id, in order.
class Mailbox {
  public:
    void deliver(wire::Packet packet);
    void close(const std::string &why);
    // The next one; nothing when none comes in time. Throws EngineError "lost" when none can come any more.
    std::optional<wire::Packet> wait(std::chrono::milliseconds time);

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<wire::Packet> packets_;
    std::optional<std::string> closed_;
};

class Connection {
  public:
    // Says hello. Throws EngineError where the engine refuses or is silent.
    Connection(std::unique_ptr<platform::Stream> stream, const Json::Object &hello);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    bool is_alive() const { return is_alive_; }

    // A new id, and the mailbox that its answers go to for as long as somebody holds it.
    std::pair<std::int64_t, std::shared_ptr<Mailbox>> open_call();
    // Body and header go out together. Throws EngineError "lost".
    void send(const Json &header, const void *body = nullptr, std::size_t body_bytes = 0);
    // Sends a header under a new id, waits for its answer. Throws EngineError.
    wire::Packet call(Json::Object header);

    // A slot for so many bytes of pixels; null where there is none to be had, so that pixels go as bodies.
    std::unique_ptr<Slot> borrow_slot(std::size_t bytes);
    void give_back(std::unique_ptr<Slot> slot);

  private:
    void read_answers();
    void lose(const std::string &why);
    std::unique_ptr<Slot> new_slot(std::size_t bytes);

    std::unique_ptr<platform::Stream> stream_;
    std::atomic<bool> is_alive_{true};
    std::mutex sending_, calling_, slots_;
    std::int64_t next_id_ = 1;
    std::map<std::int64_t, std::weak_ptr<Mailbox>> mailboxes_;
    std::string lost_;
    std::vector<std::unique_ptr<Slot>> free_slots_;
    std::thread reader_;
};

}  // namespace filmrestore
