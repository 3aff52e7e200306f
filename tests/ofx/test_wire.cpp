// The golden packets, read and written: test_wire FOLDER.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "wire.h"

using namespace filmrestore;

namespace {

void check(bool is_right, const std::string &what) {
    if (is_right) return;
    std::fprintf(stderr, "wrong: %s\n", what.c_str());
    std::exit(1);
}

std::string content(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    check(file.good(), path + " cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string from_hex(const std::string &hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

wire::Prefix prefix_of(const std::string &packet) {
    std::array<std::byte, wire::prefix_bytes> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(packet.at(i));
    return wire::read_prefix(bytes);
}

void reads_and_writes(const Json &example, const std::string &packet) {
    const std::string body = from_hex(example["body"].text());
    check(wire::encode(example["header"], body.size()) + body == packet, "the bytes that are written");
    const wire::Prefix prefix = prefix_of(packet);
    check(wire::prefix_bytes + prefix.header_bytes + prefix.body_bytes == packet.size(), "the lengths");
    check(wire::read_header(packet.substr(wire::prefix_bytes, prefix.header_bytes)) == example["header"], "the header");
}

void refuses(const std::string &code, const std::string &packet) {
    try {
        const wire::Prefix prefix = prefix_of(packet);
        wire::read_header(packet.substr(wire::prefix_bytes, prefix.header_bytes));
    } catch (const wire::Refusal &refusal) {
        check(refusal.code == code, std::string("the code of the refusal, ") + refusal.code);
        return;
    }
    check(false, "a packet that was not refused");
}

void reads_slot(const Json &example, const std::string &file) {
    const auto whole = [&example](const char *name) { return static_cast<std::uint64_t>(example[name].whole()); };
    const wire::SlotHead head = wire::read_slot_head(reinterpret_cast<const std::byte *>(file.data()));
    check(head.slot == whole("slot") && head.generation == whole("generation") && head.bytes == whole("bytes"), "a head");
    std::string written(32, '\0');
    wire::write_slot_head(head, reinterpret_cast<std::byte *>(written.data()));
    check(file.compare(0, written.size(), written) == 0, "the head that is written");
    check(file.substr(wire::slot_head_bytes) == from_hex(example["pixels"].text()), "the pixels");
}

// What a message must hold beyond type and id is looked at where it is used: these are refused there.
const std::set<std::string> refused_where_used = {"bad_type.bin",       "bad_field_missing.bin", "bad_field_kind.bin",
                                                  "bad_shape.bin", "bad_offer.bin"};

void numbers_keep_their_kind() {
    check(Json(0.5).written() == "0.5" && Json(1.0).written() == "1.0" && Json(1).written() == "1", "numbers");
    check(Json(0.1).written() == "0.1" && Json(1.0 / 3).written() == "0.3333333333333333", "digits");
    check(Json::parse(Json(-1e-300).written()) == Json(-1e-300), "a small number");
    check(Json("\xff\x41").written() == "\"\\ufffdA\"", "text that is not UTF-8");
}

}  // namespace

int main(int, char **arguments) {
    const std::string folder = std::string(arguments[1]) + "/";
    const Json cases = Json::parse(content(folder + "cases.json"));
    int seen = 0;
    for (const Json &example : cases.array()) {
        const std::string name = example["file"].text(), bytes = content(folder + name);
        std::fprintf(stderr, "%s\n", name.c_str());
        if (example.has("header")) {
            reads_and_writes(example, bytes);
        } else if (example.has("slot")) {
            reads_slot(example, bytes);
        } else if (refused_where_used.count(name) == 0) {
            refuses(example["refused"].text(), bytes);
        }
        ++seen;
    }
    numbers_keep_their_kind();
    std::printf("%d golden files\n", seen);
}
