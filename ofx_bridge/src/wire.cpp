#include "wire.h"

#include <cstring>

namespace filmrestore::wire {

namespace {

constexpr char magic[] = {'F', 'R', 'W'};
constexpr unsigned char version = 1;
constexpr char slot_magic[8] = {'F', 'R', 'S', 'L', 'O', 'T', '1', '\0'};
constexpr std::int64_t most_id = (std::int64_t{1} << 53) - 1;

template <typename Number>
void put_number(std::byte *at, Number value) {
    for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<std::byte>(value >> (8 * i) & 0xFF);
}

template <typename Number>
Number get_number(const std::byte *at) {
    Number value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value |= static_cast<Number>(static_cast<Number>(at[i]) << (8 * i));
    return value;
}

}  // namespace

std::string encode(const Json &header, std::uint64_t body_bytes) {
    const std::string text = header.written();
    if (text.size() > most_header_bytes) throw Refusal("limit", "a message's header is over a megabyte");
    std::array<std::byte, prefix_bytes> prefix;
    std::memcpy(prefix.data(), magic, sizeof magic);
    prefix[3] = std::byte{version};
    put_number(prefix.data() + 4, static_cast<std::uint32_t>(text.size()));
    put_number(prefix.data() + 8, body_bytes);
    return std::string(reinterpret_cast<const char *>(prefix.data()), prefix.size()) + text;
}

Prefix read_prefix(const std::array<std::byte, prefix_bytes> &bytes) {
    if (std::memcmp(bytes.data(), magic, sizeof magic) != 0) throw Refusal("message", "what answers is no engine");
    if (bytes[3] != std::byte{version}) {
        throw Refusal("version", "the engine speaks version " + std::to_string(std::to_integer<int>(bytes[3])) +
                                     " of the wire, this plug-in version 1: install the plug-in that came with it");
    }
    const Prefix prefix{get_number<std::uint32_t>(bytes.data() + 4), get_number<std::uint64_t>(bytes.data() + 8)};
    if (prefix.header_bytes < 1 || prefix.header_bytes > most_header_bytes || prefix.body_bytes > most_body_bytes) {
        throw Refusal("limit", "a message from the engine is over the limits");
    }
    return prefix;
}

Json read_header(const std::string &text) {
    try {
        Json header = Json::parse(text);
        if (!header.is_object() || !header.has("type") || !header.has("id")) throw JsonError("type or id is missing");
        if (!header["type"].is_text()) throw JsonError("type is no text");
        const std::int64_t id = header["id"].whole();
        if (id < 0 || id > most_id) throw JsonError("id is out of range");
        return header;
    } catch (const JsonError &error) {
        throw Refusal("message", std::string("a message from the engine cannot be read: ") + error.what());
    }
}

void write_slot_head(const SlotHead &head, std::byte *at) {
    std::memcpy(at, slot_magic, sizeof slot_magic);
    put_number(at + 8, head.slot);
    put_number(at + 16, head.generation);
    put_number(at + 24, head.bytes);
}

SlotHead read_slot_head(const std::byte *at) {
    if (std::memcmp(at, slot_magic, sizeof slot_magic) != 0) throw Refusal("slot", "a slot has no head");
    return {get_number<std::uint64_t>(at + 8), get_number<std::uint64_t>(at + 16), get_number<std::uint64_t>(at + 24)};
}

}  // namespace filmrestore::wire
