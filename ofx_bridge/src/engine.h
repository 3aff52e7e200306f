// The process-wide way to the engine: found or started by a thread of its own, never by one of the host's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "connection.h"

namespace filmrestore {

class Engine {
  public:
    static Engine &of_this_process();

    // Begins to look for the engine, or to start it, unless that is done or under way. Does not wait.
    void begin();
    // Waits for the engine. Throws EngineError: "start" with the reason, or "cancelled" when the host aborts.
    std::shared_ptr<Connection> connection(const std::function<bool()> &is_aborted);
    // Gives up a connection that turned out to be lost, so that the next one is another.
    void discard(const std::shared_ptr<Connection> &lost);
    // Ends the search and the connection; the engine itself goes on for others.
    void stop();

  private:
    using Clock = std::chrono::steady_clock;
    enum class State { idle, searching, ready, failed };

    void begin_locked();
    void search();
    std::shared_ptr<Connection> found_or_started();
    bool is_stopping();

    std::mutex mutex_;
    std::condition_variable changed_;
    State state_ = State::idle;
    bool is_stopping_ = false;
    std::shared_ptr<Connection> connection_;
    std::string reason_;
    Clock::time_point failed_at_{};
    std::thread searcher_;
    std::unique_ptr<platform::Process> process_;
};

}  // namespace filmrestore
