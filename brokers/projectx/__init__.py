"""Trade futures at TopStep through the ProjectX Gateway: token, contracts, orders. It knows no other."""
