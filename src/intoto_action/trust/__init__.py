"""Pure: was this signed by that key?"""
