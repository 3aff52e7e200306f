-- Shown where Python scripts are not: the free edition lists Lua scripts only since 21.1.
local words = "FilmRestore is a Python script. The free edition of DaVinci Resolve runs no Python scripts since 21.1.\n"
    .. "If this is DaVinci Resolve Studio, choose FilmRestore in the same menu.\n"
    .. "If it is the free edition: restore with the command instead, filmrestore restore IN -o OUT, and import OUT.\n"
    .. "See docs/hosts/resolve.md."
print(words)
