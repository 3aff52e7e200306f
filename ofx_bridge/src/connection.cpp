#include "connection.h"

#include <algorithm>

namespace filmrestore {

namespace {

constexpr std::chrono::milliseconds answer_time{5000};

}  // namespace

void Mailbox::deliver(wire::Packet packet) {
    const std::lock_guard lock(mutex_);
    packets_.push_back(std::move(packet));
    arrived_.notify_all();
}

void Mailbox::close(const std::string &why) {
    const std::lock_guard lock(mutex_);
    closed_ = why;
    arrived_.notify_all();
}

std::optional<wire::Packet> Mailbox::wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, time, [this] { return !packets_.empty() || closed_; });
    if (!packets_.empty()) {
        wire::Packet packet = std::move(packets_.front());
        packets_.pop_front();
        return packet;
    }
    if (closed_) throw EngineError("lost", *closed_);
    return std::nullopt;
}

Connection::Connection(std::unique_ptr<platform::Stream> stream, const Json::Object &hello)
    : stream_(std::move(stream)), reader_([this] { read_answers(); }) {
    try {
        const wire::Packet welcome = call(hello);
        if (welcome.type() != "welcome") throw EngineError("message", "the engine answers hello with " + welcome.type());
    } catch (...) {
        stream_->shut();
        reader_.join();
        throw;
    }
}

Connection::~Connection() {
    stream_->shut();
    reader_.join();
}

std::pair<std::int64_t, std::shared_ptr<Mailbox>> Connection::open_call() {
    auto mailbox = std::make_shared<Mailbox>();
    const std::lock_guard lock(calling_);
    if (!is_alive_) throw EngineError("lost", lost_);
    while (!mailboxes_.empty() && mailboxes_.begin()->second.expired()) mailboxes_.erase(mailboxes_.begin());
    const std::int64_t id = next_id_++;
    mailboxes_[id] = mailbox;
    return {id, mailbox};
}

void Connection::send(const Json &header, const void *body, std::size_t body_bytes) {
    try {
        const std::string start = wire::encode(header, body_bytes);
        const std::lock_guard lock(sending_);
        stream_->send(start.data(), start.size());
        if (body_bytes > 0) stream_->send(body, body_bytes);
    } catch (const platform::SystemError &error) {
        throw EngineError("lost", error.what());
    } catch (const wire::Refusal &refusal) {
        throw EngineError(refusal.code, refusal.what());
    }
}

wire::Packet Connection::call(Json::Object header) {
    const auto [id, mailbox] = open_call();
    header["id"] = id;
    send(header);
    std::optional<wire::Packet> answer = mailbox->wait(answer_time);
    if (!answer) throw EngineError("lost", "the engine does not answer");
    if (answer->type() == "error") throw EngineError(answer->header["code"].text(), answer->header["text"].text());
    return std::move(*answer);
}

std::unique_ptr<Slot> Connection::borrow_slot(std::size_t bytes) {
    const std::lock_guard lock(slots_);
    const auto fits = [bytes](const std::unique_ptr<Slot> &slot) { return slot->bytes >= bytes; };
    const auto found = std::find_if(free_slots_.begin(), free_slots_.end(), fits);
    if (found != free_slots_.end()) {
        std::unique_ptr<Slot> slot = std::move(*found);
        free_slots_.erase(found);
        return slot;
    }
    // Those that are too small belong to another resolution: their memory is better spent on this one.
    for (const auto &slot : free_slots_) {
        call({{"type", "drop_slot"}, {"slot", slot->number}});
    }
    free_slots_.clear();
    return new_slot(bytes);
}

std::unique_ptr<Slot> Connection::new_slot(std::size_t bytes) {
    try {
        const Json ready = call({{"type", "slot"}, {"bytes", static_cast<std::int64_t>(bytes)}}).header;
        auto slot = std::make_unique<Slot>();
        slot->number = ready["slot"].whole();
        slot->generation = ready["generation"].whole();
        slot->bytes = static_cast<std::size_t>(std::max<std::int64_t>(0, ready["bytes"].whole()));
        if (slot->bytes < bytes) return nullptr;
        slot->mapping = platform::map_file(ready["path"].text(), wire::slot_head_bytes + slot->bytes);
        return slot;
    } catch (const EngineError &error) {
        if (error.code == "lost") throw;
        return nullptr;  // no room for slots: bodies do as well, only slower
    } catch (const platform::SystemError &) {
        return nullptr;
    }
}

void Connection::give_back(std::unique_ptr<Slot> slot) {
    if (!slot) return;
    const std::lock_guard lock(slots_);
    free_slots_.push_back(std::move(slot));
}

void Connection::read_answers() {
    try {
        while (true) {
            std::array<std::byte, wire::prefix_bytes> bytes;
            stream_->receive(bytes.data(), bytes.size());
            const wire::Prefix prefix = wire::read_prefix(bytes);
            std::string text(prefix.header_bytes, '\0');
            stream_->receive(text.data(), text.size());
            wire::Packet packet{wire::read_header(text), std::vector<std::byte>(prefix.body_bytes)};
            stream_->receive(packet.body.data(), packet.body.size());
            std::shared_ptr<Mailbox> mailbox;
            {
                const std::lock_guard lock(calling_);
                const auto found = mailboxes_.find(packet.id());
                if (found != mailboxes_.end() && !(mailbox = found->second.lock())) mailboxes_.erase(found);
            }
            if (mailbox) mailbox->deliver(std::move(packet));
        }
    } catch (const std::exception &error) {
        lose(error.what());
    }
}

void Connection::lose(const std::string &why) {
    const std::lock_guard lock(calling_);
    lost_ = why;
    is_alive_ = false;
    for (const auto &[id, waiting] : mailboxes_) {
        if (const auto mailbox = waiting.lock()) mailbox->close(why);
    }
    mailboxes_.clear();
}

}  // namespace filmrestore
