# What may be a name, and what the refusal says.
for name in 'a b' /x 'lenny.123' 'lenny:' '' 'ok_-9'; do
    pcv create repo "$name" && echo "created '$name'"
done
