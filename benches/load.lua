-- What wrk sends: one of the prepared bodies after another. BODIES names the file that holds one a line; an empty file
-- means GET. EXPECT is what an answer has to contain to be counted as found: from two seconds after the first such answer to
-- the last one, so that what is under way at either end does not distort the rate of what takes long.
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local method = os.getenv("METHOD")
local path = os.getenv("URL_PATH")
local headers = { ["content-type"] = "application/json", ["accept"] = "application/json" }
local token = os.getenv("TOKEN")
if token and token ~= "" then headers["authorization"] = "Bearer " .. token end
local expected = os.getenv("EXPECT")
local threads = {}
setup = function(thread) threads[#threads + 1] = thread end
found, begun, first, last = 0, nil, 0, 0
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } moment; int clock_gettime(int clock, moment *now);")
local now = ffi.new("moment")
local function time()
  ffi.C.clock_gettime(1, now)
  return tonumber(now.seconds) + tonumber(now.nanoseconds) / 1e9
end
if expected and expected ~= "" then
  response = function(_, _, body)
    if not body:find(expected, 1, true) then return end
    last = time()
    begun = begun or last
    if last < begun + 2 then return end
    if found == 0 then first = last end
    found = found + 1
  end
end
local next_one = 0
request = function()
  next_one = next_one % #bodies + 1
  if method == "GET" then return wrk.format("GET", path .. bodies[next_one], headers) end
  return wrk.format("POST", path, headers, bodies[next_one])
end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  local rate = 0
  for _, thread in ipairs(threads) do
    local count, time = thread:get("found"), thread:get("last") - thread:get("first")
    if count > 1 then rate = rate + (count - 1) / time end
  end
  io.write(string.format("RESULT %f %f %d %f\n", summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, failed, rate))
end
