-- What wrk sends: one of the prepared bodies after another. BODIES names the file that holds one a line; an empty file
-- means GET.
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local method = os.getenv("METHOD")
local path = os.getenv("URL_PATH")
local headers = { ["content-type"] = "application/json", ["accept"] = "application/json" }
local token = os.getenv("TOKEN")
if token and token ~= "" then headers["authorization"] = "Bearer " .. token end
local next_one = 0
request = function()
  next_one = next_one % #bodies + 1
  if method == "GET" then return wrk.format("GET", path .. bodies[next_one], headers) end
  return wrk.format("POST", path, headers, bodies[next_one])
end
done = function(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %f %f %d\n", summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, failed))
end
