# Prints hashes that bcrypt-ruby makes, one JSON object a line; those of Devise have its pepper behind the password.
require "bcrypt"
require "json"

["correct horse battery", "Zürich könnte €5", "p", "0123456789" * 8].each do |password|
  puts JSON.generate(made_by: "bcrypt-ruby", scheme: "", password: password, hash: BCrypt::Password.create(password, cost: 4).to_s)
  puts JSON.generate(made_by: "bcrypt-ruby, as Devise does", scheme: "devise", password: password, hash: BCrypt::Password.create("#{password}the pepper", cost: 4).to_s)
end
