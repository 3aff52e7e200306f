#include "frame_request.h"

#include <algorithm>
#include <map>

namespace filmrestore {

namespace {

constexpr std::chrono::milliseconds look_up{50};
constexpr std::chrono::seconds latest_taken{5};  // after its request has ended
constexpr std::size_t most_in_flight = 2;  // one is packed while the engine reads the other
constexpr int colour_channels = 3;

std::size_t floats(int height, int width, int channels) {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
}

// What the engine was lent for one request, and the way that comes back.
class Loan {
  public:
    Loan(std::shared_ptr<Connection> connection, std::unique_ptr<Slot> for_result)
        : connection_(std::move(connection)), for_result_(std::move(for_result)) {
        std::tie(id_, mailbox_) = connection_->open_call();
    }

    std::int64_t id() const { return id_; }
    Connection &connection() const { return *connection_; }
    const Slot *for_result() const { return for_result_.get(); }
    std::size_t in_flight() const { return put_.size() + bodies_; }
    std::optional<wire::Packet> wait(std::chrono::milliseconds time) { return mailbox_->wait(time); }

    void lend(std::unique_ptr<Slot> slot) {
        if (slot) {
            put_[slot->number] = std::move(slot);
        } else {
            ++bodies_;
        }
    }

    // `taken`: the slot is ours again.
    void taken(const Json &header) {
        if (!header.has("slot")) {
            bodies_ -= bodies_ > 0 ? 1 : 0;
            return;
        }
        const auto found = put_.find(header["slot"].whole());
        if (found == put_.end()) return;
        found->second->generation = header["generation"].whole();
        connection_->give_back(std::move(found->second));
        put_.erase(found);
    }

    // `result` or `error`: the result's slot is ours again.
    void ended(const Json &header) {
        over_at_ = std::chrono::steady_clock::now();
        if (!for_result_) return;
        if (header.has("generation")) for_result_->generation = header["generation"].whole();
        connection_->give_back(std::move(for_result_));
    }

    bool is_settled() const { return over_at_ && put_.empty(); }

    // A frame that was refused ends its request, and its slot is never said to be taken.
    void drop_what_is_late() {
        if (!over_at_ || std::chrono::steady_clock::now() - *over_at_ < latest_taken) return;
        for (const auto &[number, slot] : put_) connection_->call({{"type", "drop_slot"}, {"slot", number}});
        put_.clear();
    }

    // Reads what has come, without waiting.
    void catch_up() {
        while (const auto packet = wait(std::chrono::milliseconds(0))) {
            const std::string type = packet->type();
            if (type == "taken") taken(packet->header);
            if (type == "result" || type == "error") ended(packet->header);
        }
    }

  private:
    std::shared_ptr<Connection> connection_;
    std::unique_ptr<Slot> for_result_;
    std::int64_t id_ = 0;
    std::shared_ptr<Mailbox> mailbox_;
    std::map<std::int64_t, std::unique_ptr<Slot>> put_;
    std::size_t bodies_ = 0;
    std::optional<std::chrono::steady_clock::time_point> over_at_;
};

// Loans of requests that ended before the engine had given everything back.
class Unsettled {
  public:
    void add(std::unique_ptr<Loan> loan) {
        const std::lock_guard lock(mutex_);
        loans_.push_back(std::move(loan));
    }

    void drop() {
        const std::lock_guard lock(mutex_);
        loans_.clear();
    }

    void settle() {
        const std::lock_guard lock(mutex_);
        const auto settled = [](const std::unique_ptr<Loan> &loan) {
            try {
                loan->catch_up();
                loan->drop_what_is_late();
                return loan->is_settled();
            } catch (const std::exception &) {
                return true;  // the connection is gone, and its slots with it
            }
        };
        loans_.erase(std::remove_if(loans_.begin(), loans_.end(), settled), loans_.end());
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Loan>> loans_;
};

Unsettled &unsettled() {
    static Unsettled *const all = new Unsettled;  // never destroyed: hosts end with renders under way
    return *all;
}

class Request {
  public:
    Request(const std::shared_ptr<Connection> &connection, const FrameAsk &ask, const Watch &watch, bool uses_slots)
        : ask_(ask), watch_(watch), uses_slots_(uses_slots) {
        unsettled().settle();
        const std::size_t bytes = floats(ask.height, ask.width, colour_channels) * sizeof(float);
        loan_ = std::make_unique<Loan>(connection, uses_slots ? connection->borrow_slot(bytes) : nullptr);
    }

    ~Request() {
        if (!loan_->is_settled()) unsettled().add(std::move(loan_));
    }
    Request(const Request &) = delete;
    Request &operator=(const Request &) = delete;

    void run(const std::function<void(const FrameAnswer &)> &use) {
        send_ask();
        while (true) {
            if (watch_.is_aborted()) cancel();
            const auto packet = loan_->wait(look_up);
            if (!packet) continue;
            const Json &header = packet->header;
            const std::string type = packet->type();
            if (type == "need") {
                note_wanted(header["offers"].array());
                put_wanted();
            } else if (type == "taken") {
                loan_->taken(header);
                put_wanted();
            } else if (type == "progress") {
                const auto done = header["done"].whole(), total = header["total"].whole();
                if (total > 0) watch_.progress(static_cast<double>(done) / static_cast<double>(total));
            } else if (type == "result") {
                use(answer(*packet));
                loan_->ended(header);
                return;
            } else if (type == "error") {
                loan_->ended(header);
                throw EngineError(header["code"].text(), header["text"].text());
            }
        }
    }

  private:
    void send_ask() {
        Json::Object header = ask_.fields;
        Json::Array offers;
        for (const Offer &offer : ask_.offers) offers.push_back(Json::Array{offer.plane, offer.frame, offer.change});
        header["type"] = ask_.type;
        header["id"] = loan_->id();
        header["channels"] = "RGB";
        header["colourspace"] = ask_.colourspace;
        header["dtype"] = "float32";
        header["offers"] = std::move(offers);
        header["shape"] = Json::Array{ask_.height, ask_.width, colour_channels};
        if (const Slot *slot = loan_->for_result()) {
            header["slot"] = slot->number;
            header["generation"] = slot->generation;
        }
        loan_->connection().send(header);
    }

    void note_wanted(const Json::Array &offers) {
        for (const Json &wanted : offers) {
            const Json::Array &parts = wanted.array();
            if (parts.size() != 3) throw JsonError("an offer has not three parts");
            const auto is_it = [&parts](const Offer &offer) {
                return offer.plane == parts[0].text() && offer.frame == parts[1].whole() &&
                       offer.change == parts[2].text();
            };
            const auto found = std::find_if(ask_.offers.begin(), ask_.offers.end(), is_it);
            if (found == ask_.offers.end()) throw JsonError("the engine wants a frame that was not offered");
            wanted_.push_back(&*found);
        }
    }

    void put_wanted() {
        while (!wanted_.empty() && loan_->in_flight() < most_in_flight && !watch_.is_aborted()) {
            const Offer &offer = *wanted_.front();
            wanted_.pop_front();
            put(offer);
        }
    }

    void put(const Offer &offer) {
        const std::size_t count = floats(offer.height, offer.width, offer.channels), bytes = count * sizeof(float);
        Json::Object header{{"type", "put"},           {"id", loan_->id()},
                            {"plane", offer.plane},    {"frame", offer.frame},
                            {"change", offer.change},  {"dtype", "float32"},
                            {"colourspace", offer.channels == 1 ? "raw" : ask_.colourspace},
                            {"shape", Json::Array{offer.height, offer.width, offer.channels}}};
        std::unique_ptr<Slot> slot = uses_slots_ ? loan_->connection().borrow_slot(bytes) : nullptr;
        if (!slot) {
            std::vector<float> body(count);
            offer.pack(body.data());
            loan_->connection().send(header, body.data(), bytes);
            loan_->lend(nullptr);
            return;
        }
        offer.pack(reinterpret_cast<float *>(slot->pixels()));
        const auto number = static_cast<std::uint64_t>(slot->number);
        const auto generation = static_cast<std::uint64_t>(slot->generation);
        wire::write_slot_head({number, generation, bytes}, slot->mapping->data());
        header["slot"] = slot->number;
        header["generation"] = slot->generation;
        header["offset"] = static_cast<std::int64_t>(wire::slot_head_bytes);
        loan_->lend(std::move(slot));
        loan_->connection().send(header);
    }

    FrameAnswer answer(const wire::Packet &packet) const {
        const Json::Array &box = packet.header["box"].array(), &shape = packet.header["shape"].array();
        if (box.size() != 4 || shape.size() != 3) throw JsonError("a result has no box or shape");
        const auto edge = [&box](std::size_t i) { return static_cast<int>(std::clamp<std::int64_t>(box[i].whole(), -1, 1 << 20)); };
        FrameAnswer part{edge(0), edge(1), edge(2), edge(3), nullptr};
        if (part.x0 == part.x1 || part.y0 == part.y1) return {0, 0, 0, 0, nullptr};
        const int part_height = part.y1 - part.y0, part_width = part.x1 - part.x0;
        if (part.x0 < 0 || part.y0 < 0 || part.x1 > ask_.width || part.y1 > ask_.height || part_height < 0 ||
            part_width < 0 || shape[0].whole() != part_height || shape[1].whole() != part_width ||
            shape[2].whole() != colour_channels) {
            throw JsonError("a result's box does not lie in the frame");
        }
        const std::size_t bytes = floats(part_height, part_width, colour_channels) * sizeof(float);
        part.pixels = packet.header.has("slot") ? in_slot(packet.header, bytes) : in_body(packet, bytes);
        return part;
    }

    static const float *in_body(const wire::Packet &packet, std::size_t bytes) {
        if (packet.body.size() != bytes) throw JsonError("a result's body has another length than its shape");
        return reinterpret_cast<const float *>(packet.body.data());
    }

    const float *in_slot(const Json &header, std::size_t bytes) const {
        const Slot *slot = loan_->for_result();
        if (slot == nullptr || header["slot"].whole() != slot->number || bytes > slot->bytes ||
            header["offset"].whole() != static_cast<std::int64_t>(wire::slot_head_bytes)) {
            throw JsonError("a result lies in another slot than was lent");
        }
        const wire::SlotHead head = wire::read_slot_head(slot->mapping->data());
        if (head.slot != static_cast<std::uint64_t>(slot->number) || head.bytes != bytes ||
            head.generation != static_cast<std::uint64_t>(header["generation"].whole())) {
            throw JsonError("a result's slot holds something else than was said");
        }
        return reinterpret_cast<const float *>(slot->pixels());
    }

    [[noreturn]] void cancel() {
        const std::int64_t id = loan_->connection().open_call().first;
        loan_->connection().send(Json::Object{{"type", "cancel"}, {"id", id}, {"request", loan_->id()}});
        throw EngineError("cancelled", "stopped by the host");
    }

    const FrameAsk &ask_;
    const Watch &watch_;
    bool uses_slots_;
    std::unique_ptr<Loan> loan_;
    std::deque<const Offer *> wanted_;
};

}  // namespace

void ask_for_frame(const std::shared_ptr<Connection> &connection, const FrameAsk &ask, const Watch &watch,
                   const std::function<void(const FrameAnswer &)> &use) {
    bool uses_slots = true;
    while (true) {
        try {
            return Request(connection, ask, watch, uses_slots).run(use);
        } catch (const EngineError &error) {
            if (error.code == "slot" && uses_slots) {
                uses_slots = false;
            } else if (error.code == "busy" && !watch.is_aborted()) {
                std::this_thread::sleep_for(look_up);
            } else {
                throw;
            }
        } catch (const JsonError &error) {
            throw EngineError("message", std::string("the engine's answer cannot be meant: ") + error.what());
        } catch (const wire::Refusal &refusal) {
            throw EngineError(refusal.code, refusal.what());
        }
    }
}

void drop_unsettled() { unsettled().drop(); }

}  // namespace filmrestore
