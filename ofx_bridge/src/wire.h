// Packets and slots as docs/server.md has them: bytes from and to headers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "json.h"

namespace filmrestore::wire {

constexpr std::size_t prefix_bytes = 16;
constexpr std::uint64_t most_header_bytes = 1048576;
constexpr std::uint64_t most_body_bytes = 1073741824;
constexpr std::size_t slot_head_bytes = 4096;

// A packet that cannot be read; `code` as in the server's errors.
class Refusal : public std::runtime_error {
  public:
    Refusal(const char *code_, const std::string &what) : std::runtime_error(what), code(code_) {}
    const char *code;
};

struct Prefix {
    std::uint32_t header_bytes;
    std::uint64_t body_bytes;
};

struct Packet {
    Json header;
    std::vector<std::byte> body;

    std::string type() const { return header["type"].text(); }
    std::int64_t id() const { return header["id"].whole(); }
};

// Prefix and header; a body of that length has to follow.
std::string encode(const Json &header, std::uint64_t body_bytes);
// Throws Refusal.
Prefix read_prefix(const std::array<std::byte, prefix_bytes> &bytes);
// Checks that the header is an object with a type and an id. Throws Refusal.
Json read_header(const std::string &text);

struct SlotHead {
    std::uint64_t slot, generation, bytes;
};

void write_slot_head(const SlotHead &head, std::byte *at);
// Throws Refusal where the head is not one.
SlotHead read_slot_head(const std::byte *at);

}  // namespace filmrestore::wire
