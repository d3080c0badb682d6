-- Files, clocks and memory by Lua's own libraries. What is printed is the same in each run.

local function sum(text)
	local a, b = 1, 0
	for i = 1, #text do
		a = (a + text:byte(i)) % 65521
		b = (b + a) % 65521
	end
	return b * 65536 + a
end

local words = {}
for i = 1, 20000 do
	words[i] = string.format("%08x", i * 2654435761 % 4294967296)
end
table.sort(words)

-- Buffered and unbuffered files, read back in lines, in pieces, and from the middle.
for _, mode in ipairs { "full", "line", "no" } do
	local file = assert(io.open("words", "w+"))
	file:setvbuf(mode)
	for i = 1, mode == "no" and 500 or #words do
		assert(file:write(words[i], "\n"))
	end
	assert(file:seek("set", 900))
	print(mode, file:read("l"), file:seek("end"))
	file:close()
	local count = 0
	for _ in io.lines("words") do
		count = count + 1
	end
	print(count, sum(assert(io.open("words")):read("a")))
end

-- Errors have their own words.
print(io.open("missing/file"))
print(os.remove("missing"))
assert(os.rename("words", "renamed"))
print(os.remove("renamed"))

-- Clocks run.
local before, used = os.time(), os.clock()
for i = 1, 200000 do
	math.sqrt(i)
end
print(os.time() - before < 60, os.clock() > used, os.date("!%Y-%m-%d", 86400 * 365))

-- Memory: much of it, given back, in coroutines.
local makers = {}
for i = 1, 200 do
	makers[i] = coroutine.wrap(function()
		for round = 1, 10 do
			coroutine.yield((tostring(i * round)):rep(1000))
		end
	end)
end
local total = 0
for _ = 1, 10 do
	for i = 1, 200 do
		total = total + #makers[i]()
	end
	collectgarbage()
end
print(total, collectgarbage("count") > 0, #os.tmpname() > 0)
